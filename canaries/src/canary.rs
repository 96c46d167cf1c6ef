//! The name of a canary: random-looking, and telling nothing about what it marks.

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr, sync::LazyLock};

static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    specification.encoding().expect("a fixed alphabet of 32 symbols")
});

/// Identifies a canary in journal, ledger, API and alerts: 80 bits, written as 16 lower-case base-32 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanaryId(pub [u8; 10]);

/// The first bytes of a ghost's id. A planted canary's id starts like this once in 2^48.
const GHOST: [u8; 6] = [0xff; 6];

impl CanaryId {
    /// The id of the ghost of this number: ghosts are named, so that a sighting of one is kept like any other.
    pub fn of_ghost(number: u32) -> Self {
        let mut bytes = [0; 10];
        bytes[..6].copy_from_slice(&GHOST);
        bytes[6..].copy_from_slice(&number.to_be_bytes());
        CanaryId(bytes)
    }

    /// The ghost's number, if it is a ghost's id.
    pub fn ghost(&self) -> Option<u32> {
        let (start, number) = self.0.split_at(6);
        (start == GHOST).then(|| number.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }
}

impl fmt::Display for CanaryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32.encode(&self.0))
    }
}

impl fmt::Debug for CanaryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CanaryId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        BASE32
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(CanaryId)
            .ok_or_else(|| format!("{text:?} is not a canary's id: 16 base-32 characters are expected"))
    }
}

impl Serialize for CanaryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CanaryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::CanaryId;

    #[test]
    fn ids_are_read_as_written() {
        let id = CanaryId([1, 2, 3, 4, 5, 6, 7, 8, 9, 250]);
        assert_eq!(id.to_string().len(), 16);
        assert_eq!(id.to_string().parse::<CanaryId>(), Ok(id));
        assert_eq!(id.ghost(), None);
        assert!("short".parse::<CanaryId>().is_err());
    }

    #[test]
    fn a_ghost_keeps_its_number() {
        assert_eq!(CanaryId::of_ghost(1_000_000).ghost(), Some(1_000_000));
    }
}
