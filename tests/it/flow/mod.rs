//! Tests of `flow` through the true binary.

mod kills;
mod load;
mod readers;
