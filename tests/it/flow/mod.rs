//! Tests of `flow` through the true binary.

mod crowded;
mod kills;
mod load;
mod readers;
