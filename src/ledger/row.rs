//! How rows look: keys that sort as people count, values with a version and a checksum. A value that does not check is
//! an error, never a guess.

use crate::ledger::engine::EngineError;
use serde::{Serialize, de::DeserializeOwned};

/// Changed whenever rows change their form or meaning: a ledger of another format is rebuilt.
pub(crate) const FORMAT: u8 = 7;

/// The tables, by the first byte of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Table {
    Meta = 0,
    Placement = b'P',
    StorePlacement = b'S',
    Generation = b'G',
    Index = b'X',
    Presence = b'V',
    Verified = b'W',
    Audited = b'0',
    Reveal = b'H',
    Sighting = b'A',
    Touched = b'C',
    Joined = b'J',
    Strangers = b'U',
    Position = b'Z',
    Incident = b'I',
    OpenIncident = b'O',
    Alert = b'L',
    Due = b'B',
    Delivery = b'R',
    Attempt = b'Q',
    Dead = b'D',
    Health = b'M',
    Told = b'1',
    Account = b'N',
    Credential = b'K',
    Trace = b'Y',
    Stamp = b'2',
    Cosignature = b'b',
    Revision = b'3',
    Dated = b'4',
    LeakedRow = b'5',
    Lot = b'6',
    Bearer = b'7',
    Gate = b'8',
    Held = b'E',
    HeldKey = b'F',
    Clock = b'T',
    Pace = b'9',
    Grown = b'a',
}

/// A key under construction.
#[derive(Clone, Debug)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub fn of(table: Table) -> Key {
        Key(vec![table as u8])
    }

    /// A number, sorted by size.
    pub fn number(mut self, number: u64) -> Key {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// A text, ended so that no other text's rows share the prefix.
    pub fn text(mut self, text: &str) -> Key {
        self.0.extend(text.bytes().map(|byte| if byte == 0 { 1 } else { byte }));
        self.0.push(0);
        self
    }

    /// An id such as `i-10`, which sorts after `i-9`.
    pub fn id(mut self, id: &str) -> Key {
        self.0.push(id.len().min(255) as u8);
        self.text(id)
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Key {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

/// A text that `Key::text` wrote, and what follows it.
pub(crate) fn split_text(bytes: &[u8]) -> Result<(String, &[u8]), EngineError> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(EngineError::Damaged)?;
    let text = str::from_utf8(&bytes[..end]).map_err(|_| EngineError::Damaged)?;
    Ok((text.to_owned(), &bytes[end + 1..]))
}

/// A number that `Key::number` wrote, at the end of a key.
pub(crate) fn last_number(key: &[u8]) -> Result<u64, EngineError> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).ok_or(EngineError::Damaged)
}

/// Version, payload, CRC-32.
pub(crate) fn wrap(payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(payload.len() + 5);
    value.push(FORMAT);
    value.extend_from_slice(payload);
    let crc = crc32fast::hash(&value);
    value.extend_from_slice(&crc.to_be_bytes());
    value
}

/// The payload of a value that checks.
pub(crate) fn unwrap(value: &[u8]) -> Result<&[u8], EngineError> {
    let (rest, crc) = value.split_last_chunk::<4>().ok_or(EngineError::Damaged)?;
    if crc32fast::hash(rest).to_be_bytes() != *crc || rest.first() != Some(&FORMAT) {
        return Err(EngineError::Damaged);
    }
    Ok(&rest[1..])
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(value).map(|payload| wrap(&payload)).map_err(|_| EngineError::Damaged)
}

pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, EngineError> {
    serde_json::from_slice(unwrap(value)?).map_err(|_| EngineError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_sort_as_people_count() {
        let key = |id| Key::of(Table::Incident).id(id).into_vec();
        assert!(key("i-9") < key("i-10") && key("i-10") < key("i-11"));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_found(payload in proptest::collection::vec(any::<u8>(), 0..60), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut value = wrap(&payload);
            prop_assert_eq!(unwrap(&value).unwrap(), payload.as_slice());
            let at = at.index(value.len());
            value[at] ^= 1 << bit;
            prop_assert!(unwrap(&value).is_err());
        }
    }
}
