//! The header page of an index file, to bytes and back.

use super::{Counts, ImageError, ImageKey, PAGE, Part, VERSION};
use crate::{index::gates::Gates, marker::MarkerKind};

const MAGIC: [u8; 8] = *b"TTINDEX\n";
/// Where the header's MAC stands.
const MAC: usize = PAGE - 32;
/// Where the counts stand.
const COUNTS: usize = 48;

/// The sections in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Heads,
    Addresses,
    Numbers,
    Digests,
    Words,
    Wholes,
    Table,
    Owners,
    Seals,
}

impl Section {
    /// Those that are sieves, which go first.
    pub const SIEVES: [Section; 6] =
        [Section::Heads, Section::Addresses, Section::Numbers, Section::Digests, Section::Words, Section::Wholes];

    pub const COUNT: usize = 9;
}

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub mint_version: u32,
    pub salt: [u8; 16],
    pub counts: Counts,
    pub gates: Gates,
    /// The slots of the table over which fingerprints are spread.
    pub slots: u64,
    /// The bytes of each section, without what fills its last page.
    pub lengths: [u64; Section::COUNT],
    pub seals: [u8; 32],
}

impl Header {
    /// Where a section begins.
    pub fn offset(&self, section: Section) -> u64 {
        let before = self.lengths.iter().take(section as usize);
        before.fold(PAGE as u64, |offset, length| offset.saturating_add(length.next_multiple_of(PAGE as u64)))
    }

    pub fn length(&self, section: Section) -> u64 {
        self.lengths[section as usize]
    }

    /// The length of the file.
    pub fn total(&self) -> u64 {
        self.offset(Section::Seals).saturating_add(self.length(Section::Seals))
    }

    fn numbers(&self) -> Vec<u64> {
        let counts = &self.counts;
        let mut numbers = vec![counts.canaries, counts.ghosts, counts.fingerprints, counts.shared, counts.digests];
        numbers.extend(counts.kinds.iter().map(|(_, count)| count));
        numbers.push(self.slots);
        numbers.extend(self.lengths);
        numbers
    }

    pub fn to_bytes(&self, key: &ImageKey) -> Vec<u8> {
        let mut bytes = vec![0; PAGE];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.mint_version.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.salt);
        bytes[32..48].copy_from_slice(&key.id(&self.salt));
        let mut at = COUNTS;
        for number in self.numbers() {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            at += 8;
        }
        bytes[at..at + Gates::LENGTH].copy_from_slice(&self.gates.to_bytes());
        at += Gates::LENGTH;
        bytes[at..at + 32].copy_from_slice(&self.seals);
        let mac = blake3::keyed_hash(&key.seals(&self.salt), &bytes[..MAC]);
        bytes[MAC..].copy_from_slice(mac.as_bytes());
        bytes
    }

    /// Reads the header at the start of a file and checks it. The file's length is not looked at.
    pub fn read(bytes: &[u8], key: &ImageKey) -> Result<Header, ImageError> {
        let salt = salt_of(bytes)?;
        if bytes[32..48] != key.id(&salt) {
            return Err(ImageError::WrongKey);
        }
        // Compared by blake3's own type, in constant time.
        let mac = blake3::keyed_hash(&key.seals(&salt), &bytes[..MAC]);
        if mac != array::<32>(bytes, MAC) {
            return Err(ImageError::Damaged(Part::Header));
        }
        let mut at = COUNTS;
        let mut next = || {
            at += 8;
            u64::from_le_bytes(array(bytes, at - 8))
        };
        let mut counts = Counts {
            canaries: next(),
            ghosts: next(),
            fingerprints: next(),
            shared: next(),
            digests: next(),
            kinds: Vec::new(),
        };
        counts.kinds = MarkerKind::ALL.iter().map(|kind| (*kind, next())).collect();
        let slots = next();
        let lengths = std::array::from_fn(|_| next());
        Ok(Header {
            mint_version: u32::from_le_bytes(array(bytes, 12)),
            salt,
            counts,
            gates: Gates::from_bytes(&array(bytes, at)),
            slots,
            lengths,
            seals: array(bytes, at + Gates::LENGTH),
        })
    }
}

/// The salt of an index file, from which who has the keyring derives its key. Says whether it is one at all.
pub(super) fn salt_of(bytes: &[u8]) -> Result<[u8; 16], ImageError> {
    if bytes.len() < 10 || bytes[..8] != MAGIC {
        return Err(ImageError::Foreign);
    }
    let version = u16::from_le_bytes(array(bytes, 8));
    if version != VERSION {
        return Err(ImageError::Version(version));
    }
    if bytes.len() < PAGE {
        return Err(ImageError::Length { expected: PAGE as u64, found: bytes.len() as u64 });
    }
    Ok(array(bytes, 16))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}
