//! Tests of `api` through the true binary.

mod metrics;
mod roles;
