//! Tests of `flow` through the true binary.

mod again;
mod crowded;
mod full;
mod hostile;
mod kills;
mod load;
mod readers;
mod revealing;
mod tells;
