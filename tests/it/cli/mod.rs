//! Tests of `cli` through the real binary.

mod check;
mod columns;
mod drill;
mod errors;
mod example;
mod fan_out;
mod feeds;
mod keep;
mod plan;
mod rows;
mod several;
mod story;
