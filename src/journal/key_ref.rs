//! Which data key seals an entry. It names a key and tells nothing about what the key protects.

use crate::domain::record::Record;
use canaries::CanaryId;
use std::fmt;

/// The name of a data key in the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyRef {
    /// Everything that belongs to no canary and no file. Never erased.
    House,
    /// A canary: what was planted, and its sightings.
    Canary(CanaryId),
    /// A leaked file that was taken in.
    File([u8; 16]),
}

impl KeyRef {
    /// The key that seals this record.
    pub fn of(record: &Record) -> KeyRef {
        match record {
            Record::Planned { placement, .. } => KeyRef::Canary(placement.canary),
            Record::Planted { canary, .. } | Record::Revising { canary, .. } | Record::Revised { canary, .. } => {
                KeyRef::Canary(*canary)
            }
            // A ghost is nobody's: no key is made for it.
            Record::Sighted { sighting, .. } if sighting.canary.ghost().is_some() => KeyRef::House,
            Record::Sighted { sighting, .. } => KeyRef::Canary(sighting.canary),
            Record::Held { key, .. } => KeyRef::File(*key),
            _ => KeyRef::House,
        }
    }

    /// Kind and name as they stand in frames and in the keyring.
    pub(crate) fn to_bytes(self) -> (u8, [u8; 16]) {
        match self {
            KeyRef::House => (0, [0; 16]),
            KeyRef::Canary(CanaryId(id)) => {
                let mut name = [0; 16];
                name[..10].copy_from_slice(&id);
                (1, name)
            }
            KeyRef::File(name) => (2, name),
        }
    }

    /// The reverse of `to_bytes`; none for what no version of ours has written.
    pub(crate) fn from_bytes(kind: u8, name: [u8; 16]) -> Option<KeyRef> {
        let key = match kind {
            0 => KeyRef::House,
            1 => KeyRef::Canary(CanaryId(name[..10].try_into().ok()?)),
            2 => KeyRef::File(name),
            _ => return None,
        };
        (key.to_bytes() == (kind, name)).then_some(key)
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyRef::House => f.write_str("the house"),
            KeyRef::Canary(id) => write!(f, "canary {id}"),
            KeyRef::File(name) => write!(f, "file {}", data_encoding::HEXLOWER.encode(name)),
        }
    }
}
