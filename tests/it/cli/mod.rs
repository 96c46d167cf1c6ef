//! Tests of `cli`: the true binary, from outside.

mod story;
