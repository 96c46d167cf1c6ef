//! Tests of `flow` through the true binary.
