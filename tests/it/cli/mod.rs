//! Tests of `cli` through the real binary.

mod check;
mod columns;
mod deliveries;
mod drill;
mod errors;
mod example;
mod faces;
mod feeds;
mod generations;
mod keep;
mod plan;
mod several;
mod story;
mod supply;
