//! Tests of `cli`: the true binary, from outside.

mod errors;
mod keep;
mod story;
