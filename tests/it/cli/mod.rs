//! Tests of `cli` through the real binary.

mod check;
mod errors;
mod example;
mod keep;
mod several;
mod story;
