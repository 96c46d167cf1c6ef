//! Where alerts go. One file and one row a kind.

pub mod sink;

use sink::Entry;

/// Every kind of sink.
pub const ALL: &[Entry] = &[];
