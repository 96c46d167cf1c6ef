//! Tests of `stores` through its public face.

pub mod contract;
mod ldap;
mod postgres;
mod rows;
