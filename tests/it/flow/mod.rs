//! Tests of `flow` through the true binary.

mod full;
mod kills;
mod load;
