//! Tests of `stores` through its public face.

mod away;
pub mod contract;
mod csv;
mod folder;
mod kills;
mod ldap;
mod postgres;
mod revision;
pub mod rows;
mod sqlite;
