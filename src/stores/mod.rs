//! The systems that hold HR data, and in which canaries are planted. One file and one row a kind.

pub mod postgres;
pub mod store;

use store::Entry;

/// Every kind of store.
pub const ALL: &[Entry] = &[postgres::ENTRY];
