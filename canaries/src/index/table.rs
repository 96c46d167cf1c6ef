//! The index in memory: from keyed fingerprint to owner. It cannot be read backwards.

use super::{
    Digest, Owner,
    fingerprint::{Fingerprint, FingerprintKey},
    lookup::Lookup,
};
use crate::marker::MarkerKind;
use std::{
    collections::{HashMap, HashSet, hash_map},
    fmt,
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// Knows every canary and ghost by the fingerprints of its markers.
pub struct Index {
    key: FingerprintKey,
    entries: HashMap<Slot, Entry, BuildHasherDefault<Prefix>>,
    /// Weak markers that several owners bear: they identify nobody.
    shared: HashSet<Fingerprint>,
    changes: u64,
}

/// What a fingerprint leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub owner: Owner,
    pub kind: MarkerKind,
    pub digest: Option<Digest>,
}

/// A fingerprint as a key: it is evenly spread already, so its first bytes are its hash. Kinds differ in the last
/// byte only, which keeps the questions for one text in one cache line.
#[derive(PartialEq, Eq)]
struct Slot(Fingerprint);

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_le_bytes(prefix));
    }
}

#[derive(Default)]
struct Prefix(u64);

impl Hasher for Prefix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} fingerprints)", self.entries.len())
    }
}

impl Index {
    /// An empty index under this key.
    pub fn new(key: FingerprintKey) -> Index {
        Index { key, entries: HashMap::default(), shared: HashSet::new(), changes: 0 }
    }

    /// The key under which its fingerprints were made.
    pub fn key(&self) -> &FingerprintKey {
        &self.key
    }

    /// The number of fingerprints.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Grows with every change: who remembers it knows whether it is still what it was.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Makes room for that many more fingerprints at once.
    pub fn reserve(&mut self, more: usize) {
        self.entries.reserve(more);
    }

    /// Adds a fingerprint; answers whether it leads to this owner now. If another has it already, that owner keeps it,
    /// unless its kind is weak: then it leads to neither, for it would accuse the wrong one as often as the right one.
    pub fn insert(&mut self, fingerprint: Fingerprint, owner: Owner, kind: MarkerKind, digest: Option<Digest>) -> bool {
        if self.is_shared(&fingerprint) {
            return false;
        }
        match self.entries.entry(Slot(fingerprint)) {
            hash_map::Entry::Vacant(free) => {
                self.changes += 1;
                free.insert(Entry { owner, kind, digest });
                true
            }
            hash_map::Entry::Occupied(there) if there.get().owner == owner => true,
            hash_map::Entry::Occupied(there) => {
                if kind.is_weak() {
                    self.changes += 1;
                    there.remove();
                    self.shared.insert(fingerprint);
                }
                false
            }
        }
    }

    /// Keeps only the owners for which `keep` answers true. What was shared stays nobody's.
    pub fn retain(&mut self, mut keep: impl FnMut(Owner) -> bool) {
        self.changes += 1;
        self.entries.retain(|_, entry| keep(entry.owner));
    }

    /// Whether this fingerprint is somebody's.
    pub fn holds(&self, fingerprint: &Fingerprint) -> bool {
        self.get(*fingerprint).is_some() || self.is_shared(fingerprint)
    }

    /// Whose this fingerprint is; none where it is nobody's, or several bear it.
    pub fn owner(&self, fingerprint: &Fingerprint) -> Option<Owner> {
        self.get(*fingerprint).map(|entry| entry.owner)
    }

    /// Whether several owners bear this weak marker, so that it identifies none of them.
    pub fn is_shared(&self, fingerprint: &Fingerprint) -> bool {
        self.shared.contains(fingerprint)
    }

    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<Entry> {
        self.entries.get(&Slot(fingerprint)).copied()
    }
}

impl Lookup for Index {
    fn key(&self) -> &FingerprintKey {
        &self.key
    }

    fn may_hold(&self, _: u8, _: &[u8]) -> bool {
        true
    }

    fn get(&self, fingerprint: Fingerprint) -> Option<Entry> {
        Index::get(self, fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_owner_of_a_strong_marker_stays() {
        let mut index = Index::new(FingerprintKey::new([0; 32]));
        let fingerprint = index.key().plain(MarkerKind::Username, "jdupont");
        let mut add = |owner| index.insert(fingerprint, owner, MarkerKind::Username, None);
        assert!(add(Owner::Ghost(1)));
        assert!(add(Owner::Ghost(1)));
        assert!(!add(Owner::Ghost(2)));
        assert_eq!(index.len(), 1);
        index.retain(|owner| owner != Owner::Ghost(1));
        assert!(index.is_empty());
    }

    #[test]
    fn a_phone_that_two_bear_accuses_neither() {
        use crate::{index::scan, marker::Marker};
        let mut index = Index::new(FingerprintKey::new([0; 32]));
        let mut add = |owner, kind, value: &str| {
            let marker = Marker { kind, value: value.to_owned() };
            for (fingerprint, kind, digest) in index.key().all(&marker) {
                index.insert(fingerprint, Owner::Ghost(owner), kind, digest);
            }
        };
        for (owner, address) in [(1, "a.un@example.org"), (2, "b.deux@example.org"), (1, "a.un@example.org")] {
            add(owner, MarkerKind::WorkEmail, address);
            add(owner, MarkerKind::Phone, "+33639981234");
        }
        assert_eq!(index.recognise(None, "06 39 98 12 34"), []);
        let fingerprint = index.key().plain(MarkerKind::Phone, "+33639981234");
        assert!(index.holds(&fingerprint) && index.is_shared(&fingerprint));
        let mut seen = Vec::new();
        scan(b"b.deux@example.org;06 39 98 12 34", &index, &mut |found| seen.push((found.owner, found.kind)));
        assert_eq!(seen, [(Owner::Ghost(2), MarkerKind::WorkEmail)], "the address still tells whose it is");
    }

    #[test]
    fn entries_stay_small() {
        assert!(size_of::<(Slot, Entry)>() <= 36, "{} bytes", size_of::<(Slot, Entry)>());
    }
}
