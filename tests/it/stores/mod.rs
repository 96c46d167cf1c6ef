//! Tests of `stores` through its public face.

mod away;
pub mod contract;
mod csv;
mod folder;
mod kills;
mod ldap;
pub mod postgres;
mod revision;
pub mod rows;
mod sqlite;
