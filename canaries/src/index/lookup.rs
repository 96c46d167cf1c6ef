//! What the extractors ask: the index in memory, or the one in a file.

use super::{
    fingerprint::{Fingerprint, FingerprintKey},
    table::Entry,
};

/// Knows whose a fingerprint is.
pub(super) trait Lookup {
    /// The key under which its fingerprints were made.
    fn key(&self) -> &FingerprintKey;

    /// A cheap question that spares most fingerprints: false only if no such value is known in this space.
    fn may_hold(&self, space: u8, canonical: &[u8]) -> bool;

    /// What a fingerprint leads to.
    fn get(&self, fingerprint: Fingerprint) -> Option<Entry>;
}
