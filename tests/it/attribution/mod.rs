//! Tests of `attribution` through its public face.

mod golden;
mod order;
mod organisation;
mod scenarios;
