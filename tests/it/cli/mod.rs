//! The command line.

mod example;
