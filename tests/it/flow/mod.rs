//! Tests of `flow` through the true binary.

mod again;
mod crowded;
mod kills;
mod load;
mod readers;
