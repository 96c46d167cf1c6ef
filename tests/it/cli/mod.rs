//! Tests of `cli` through the real binary.

mod check;
mod columns;
mod drill;
mod errors;
mod example;
mod feeds;
mod index;
mod keep;
mod plan;
mod several;
mod story;
