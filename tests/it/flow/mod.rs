//! Tests of `flow` through the true binary.

mod again;
mod crowded;
mod full;
mod kills;
mod load;
mod readers;
mod tells;
