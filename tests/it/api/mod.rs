//! Tests of `api` through the true binary.

mod roles;
