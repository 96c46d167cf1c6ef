//! The systems that hold HR data, and in which canaries are planted. One file and one row a kind.

pub mod csv;
pub mod folder;
pub mod ldap;
pub mod postgres;
pub mod remains;
pub mod sqlite;
pub mod store;

use store::Entry;

/// Every kind of store.
pub const ALL: &[Entry] = &[csv::ENTRY, folder::ENTRY, ldap::ENTRY, postgres::ENTRY, sqlite::ENTRY];
