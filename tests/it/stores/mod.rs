//! Tests of `stores` through its public face.

mod away;
pub mod contract;
mod csv;
mod folder;
mod kills;
mod ldap;
mod postgres;
pub mod rows;
mod sqlite;
