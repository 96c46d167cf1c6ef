//! Tests of `cli` through the real binary.

mod check;
mod columns;
mod drill;
mod errors;
mod example;
mod keep;
mod plan;
mod rows;
mod several;
mod story;
