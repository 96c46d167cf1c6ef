//! Tests of `api` through the true binary.

mod inbound;
mod metrics;
mod roles;
