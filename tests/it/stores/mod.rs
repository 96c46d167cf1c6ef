//! Tests of `stores` through its public face.

pub mod contract;
mod csv;
mod folder;
mod kills;
mod sqlite;
mod ldap;
mod postgres;
