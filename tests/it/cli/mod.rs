//! Tests of `cli` through the real binary.

mod aliases;
mod check;
mod claims;
mod clock;
mod coded;
mod columns;
mod deliveries;
mod design;
mod drill;
mod errors;
mod everywhere;
mod example;
mod faces;
mod fan_out;
mod feeds;
mod generations;
mod index;
mod keep;
mod plan;
mod rows;
mod several;
mod sigma;
mod story;
mod supply;
mod ways;
