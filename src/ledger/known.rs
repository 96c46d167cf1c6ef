//! By what each canary is known: the index entries of all that it bears, and bore.

use crate::{
    domain::record::IndexEntry,
    ledger::{
        engine::EngineError,
        placements::last_id,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use canaries::{CanaryId, MarkerKind, index::Digest};

/// Adds to what a canary is known by: what it bore before may have been copied then, and is known for ever.
pub(crate) fn indexed(view: &mut View<'_>, canary: CanaryId, index: &[IndexEntry]) -> Result<(), EngineError> {
    if index.is_empty() {
        return Ok(());
    }
    let key = Key::of(Table::Index).bytes(&canary.0);
    let mut entries = view.value(&key)?.map(|value| unpack_all(&value)).transpose()?.unwrap_or_default();
    for entry in index {
        if !entries.contains(entry) {
            entries.push(*entry);
        }
    }
    let packed: Vec<u8> = entries.iter().flat_map(pack).collect();
    view.put_bytes(key, &packed);
    Ok(())
}

impl Ledger {
    /// Shows every index entry, and as what it is seen: what the index in memory is built from.
    pub fn index_entries(&self, mut visit: impl FnMut(CanaryId, IndexEntry)) -> Result<(), LedgerError> {
        let personas = self.personas()?;
        self.each(&Key::of(Table::Index), None, |key, value| {
            let canary = last_id(key)?;
            let canary = personas.get(&canary).copied().unwrap_or(canary);
            unpack_all(value)?.into_iter().for_each(|entry| visit(canary, entry));
            Ok(true)
        })
    }

    /// The index entries of one placement.
    pub fn entries_of(&self, canary: CanaryId) -> Result<Vec<IndexEntry>, LedgerError> {
        let mut found = Vec::new();
        self.each(&Key::of(Table::Index).bytes(&canary.0), None, |_, value| {
            found = unpack_all(value)?;
            Ok(true)
        })?;
        Ok(found)
    }
}

/// Fingerprint, kind, digest: compact, for there are many.
const PACKED: usize = 18;
const DIGESTS: [Digest; 5] = [Digest::Md5, Digest::Sha1, Digest::Sha256, Digest::Sha512, Digest::Ntlm];

fn unpack_all(value: &[u8]) -> Result<Vec<IndexEntry>, EngineError> {
    let packed = row::unwrap(value)?;
    if !packed.len().is_multiple_of(PACKED) {
        return Err(EngineError::Damaged);
    }
    packed.chunks_exact(PACKED).map(unpack).collect()
}

fn pack(entry: &IndexEntry) -> [u8; PACKED] {
    let mut packed = [0; PACKED];
    packed[..16].copy_from_slice(&entry.fingerprint);
    packed[16] = MarkerKind::ALL.iter().position(|kind| *kind == entry.kind).unwrap_or(255) as u8;
    packed[17] = entry.digest.map_or(0, |digest| {
        DIGESTS.iter().position(|other| *other == digest).map_or(255, |position| position as u8 + 1)
    });
    packed
}

fn unpack(packed: &[u8]) -> Result<IndexEntry, EngineError> {
    let kind = MarkerKind::ALL.get(usize::from(packed[16])).copied().ok_or(EngineError::Damaged)?;
    let digest = match packed[17] {
        0 => None,
        number => Some(DIGESTS.get(usize::from(number) - 1).copied().ok_or(EngineError::Damaged)?),
    };
    Ok(IndexEntry { fingerprint: packed[..16].try_into().map_err(|_| EngineError::Damaged)?, kind, digest })
}
