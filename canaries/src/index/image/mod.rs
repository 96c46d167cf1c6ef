//! The index as one file: keyed fingerprints, sieves and owners, to be mapped into memory and shared by processes. It
//! holds no value, and without its key it answers nothing.
//!
//! One header page, then sections that begin at multiples of 4 KiB, all numbers little endian: six sieves, encrypted, the table of
//! fingerprints, the canaries' ids, and the seals: a MAC for each page before them. The header's own MAC covers
//! the MAC of the seals. So opening reads the header, the seals and the sieves, about a tenth of the file; a page of
//! the table or of the ids is checked when it is first read, and nothing is believed unchecked.

mod build;
mod header;
mod open;

#[cfg(test)]
mod tests;

pub use build::ImageBuilder;
pub use open::{Image, salt};
pub(in crate::index) use open::{Sieved, Sieves};

use super::fingerprint::FingerprintKey;
use crate::{index::clue::ClueKey, marker::MarkerKind};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u16 = 2;

/// A page: sections begin at its multiples, and each has its own seal.
const PAGE: usize = 4096;
/// The bytes of a slot of the table: ten of the fingerprint, its space, its kind and one, its owner.
const SLOT: usize = 16;
/// The bytes of a canary's id.
const ID: usize = 10;
/// The bytes of a page's seal.
const SEAL: usize = 16;
/// The owner of what several bear.
const NOBODY: u32 = u32::MAX;
/// Set in a ghost's owner number.
const GHOST: u32 = 1 << 31;

/// The key of one index file.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ImageKey([u8; 32]);

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageKey(redacted)")
    }
}

impl ImageKey {
    /// Wraps a derived key.
    pub fn new(bytes: [u8; 32]) -> ImageKey {
        ImageKey(bytes)
    }

    fn derive(&self, purpose: &str, salt: &[u8; 16]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(&format!("telltale index {VERSION} {purpose}"));
        hasher.update(&self.0).update(salt);
        *hasher.finalize().as_bytes()
    }

    fn fingerprints(&self, salt: &[u8; 16]) -> FingerprintKey {
        FingerprintKey::new(self.derive("fingerprints", salt))
    }

    fn clues(&self, salt: &[u8; 16]) -> ClueKey {
        ClueKey::new(&self.derive("clues", salt))
    }

    /// Turns a sieve into what stands in the file, and back: a stream cipher, whose key is this file's alone.
    fn veil(&self, salt: &[u8; 16], section: u8, sieve: &mut [u8]) {
        let mut stream = blake3::Hasher::new_keyed(&self.derive("sieves", salt)).update(&[section]).finalize_xof();
        let mut some = [0; 8 * PAGE];
        for bytes in sieve.chunks_mut(some.len()) {
            let some = &mut some[..bytes.len()];
            stream.fill(some);
            bytes.iter_mut().zip(some).for_each(|(byte, veil)| *byte ^= *veil);
        }
    }

    fn seals(&self, salt: &[u8; 16]) -> [u8; 32] {
        self.derive("seals", salt)
    }

    /// Tells this key from others, and nothing else.
    fn id(&self, salt: &[u8; 16]) -> [u8; 16] {
        let derived = self.derive("key id", salt);
        let mut id = [0; 16];
        id.copy_from_slice(&derived[..16]);
        id
    }
}

/// What an index file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub canaries: u64,
    pub ghosts: u64,
    /// Fingerprints of values and of their digests together.
    pub fingerprints: u64,
    /// Weak markers that several canaries bear, and that therefore identify nobody.
    pub shared: u64,
    /// Values in their plain form, by kind.
    pub kinds: Vec<(MarkerKind, u64)>,
    pub digests: u64,
}

/// Why an index file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// It is no index file.
    Foreign,
    /// It ends before its own end, or goes on behind it.
    Length { expected: u64, found: u64 },
    /// It has another version.
    Version(u16),
    /// The key is another's.
    WrongKey,
    /// What it holds was changed: in its header, its seals, or this page.
    Damaged(Part),
}

/// A part of an index file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Header,
    Seals,
    Page(usize),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageError::Foreign => f.write_str("this is no index that `telltale index build` made"),
            ImageError::Length { expected, found } => write!(
                f,
                "the index is {found} bytes long and should be {expected}: it was cut off or copied in part; copy it again"
            ),
            ImageError::Version(version) => write!(
                f,
                "the index has format {version}, and this telltale reads format {VERSION}: build it anew with this telltale"
            ),
            ImageError::WrongKey => {
                f.write_str("the key is not the one of this index: give the key file that was written with it")
            }
            ImageError::Damaged(Part::Header) => f.write_str("the index's header is damaged: copy or build it anew"),
            ImageError::Damaged(Part::Seals) => f.write_str("the index's seals are damaged: copy or build it anew"),
            ImageError::Damaged(Part::Page(page)) => {
                write!(f, "the index is damaged at byte {}: copy or build it anew", (page + 1) * PAGE)
            }
        }
    }
}

impl std::error::Error for ImageError {}

/// The seal of one page.
fn seal(key: &[u8; 32], number: usize, page: &[u8]) -> [u8; SEAL] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&(number as u64).to_le_bytes()).update(page);
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&hasher.finalize().as_bytes()[..SEAL]);
    seal
}
