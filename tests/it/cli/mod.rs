//! Tests of `cli` through the real binary.

mod errors;
mod example;
mod keep;
mod story;
