//! An index file that was opened: it answers as the index in memory does. It reads bytes that it is handed, and checks
//! each page before it believes it.

use super::{
    Counts, GHOST, ID, ImageError, ImageKey, NOBODY, PAGE, Part, SEAL, SLOT,
    build::home,
    header::{Header, Section, salt_of},
    seal,
};
use crate::{
    canary::CanaryId,
    index::{
        Digest, Owner,
        clue::ClueKey,
        fingerprint::{Fingerprint, FingerprintKey, space_of_digest},
        gates::Gates,
        lookup::Lookup,
        sieve::Sieve,
        table::Entry,
    },
    marker::MarkerKind,
};
use std::{
    fmt,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Not a page.
const NONE: usize = usize::MAX;

/// An index file, in bytes that were read or mapped.
pub struct Image<B> {
    bytes: B,
    header: Header,
    fingerprints: FingerprintKey,
    clues: ClueKey,
    /// The sieves as they are asked: a tenth of the file, which each process has for itself.
    sieves: [Vec<u8>; Section::SIEVES.len()],
    seal_key: [u8; 32],
    /// A bit for each page that was checked.
    checked: Vec<AtomicU64>,
    /// The first page that was found damaged.
    damaged: AtomicUsize,
}

impl<B> fmt::Debug for Image<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} fingerprints)", self.header.counts.fingerprints)
    }
}

/// The salt of an index file, from which whoever has the keyring derives its key.
///
/// # Errors
/// Where it is no index file, or one of another version.
pub fn salt(bytes: &[u8]) -> Result<[u8; 16], ImageError> {
    salt_of(bytes)
}

impl<B: AsRef<[u8]>> Image<B> {
    /// Opens an index file: checks its header, its seals and its sieves, and the rest when it is needed.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn open(bytes: B, key: &ImageKey) -> Result<Image<B>, ImageError> {
        let all = bytes.as_ref();
        let header = Header::read(all, key)?;
        let found = all.len() as u64;
        if header.total() != found {
            return Err(ImageError::Length { expected: header.total(), found });
        }
        let seal_key = key.seals(&header.salt);
        let seals = &all[header.offset(Section::Seals) as usize..];
        let pages = header.offset(Section::Seals) as usize / PAGE - 1;
        if seals.len() != pages * SEAL || blake3::keyed_hash(&seal_key, seals) != header.seals {
            return Err(ImageError::Damaged(Part::Seals));
        }
        let mut image = Image {
            fingerprints: key.fingerprints(&header.salt),
            clues: key.clues(&header.salt),
            sieves: Default::default(),
            seal_key,
            checked: (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            damaged: AtomicUsize::new(NONE),
            bytes,
            header,
        };
        let sieves = image.header.offset(Section::Table) as usize / PAGE - 1;
        (0..sieves).all(|page| image.check(page));
        image.sound()?;
        for (number, section) in Section::SIEVES.into_iter().enumerate() {
            let from = image.header.offset(section) as usize;
            let mut sieve = image.bytes.as_ref()[from..from + image.header.length(section) as usize].to_vec();
            key.veil(&image.header.salt, number as u8, &mut sieve);
            if Sieve::new(&sieve).is_none() {
                return Err(ImageError::Damaged(Part::Header));
            }
            image.sieves[number] = sieve;
        }
        Ok(image)
    }

    /// What it holds.
    pub fn counts(&self) -> &Counts {
        &self.header.counts
    }

    /// The version of minting that its ghosts come from.
    pub fn mint_version(&self) -> u32 {
        self.header.mint_version
    }

    /// Whether everything that was read so far was as it was written. Ask it after a scan: what stood in a damaged
    /// page was not found.
    ///
    /// # Errors
    /// The first page that was found damaged.
    pub fn sound(&self) -> Result<(), ImageError> {
        match self.damaged.load(Ordering::Acquire) {
            NONE => Ok(()),
            page => Err(ImageError::Damaged(Part::Page(page))),
        }
    }

    /// Checks every page.
    ///
    /// # Errors
    /// The first page that was found damaged.
    pub fn check_all(&self) -> Result<(), ImageError> {
        let pages = self.header.offset(Section::Seals) as usize / PAGE - 1;
        (0..pages).all(|page| self.check(page));
        self.sound()
    }

    /// Whether several owners bear this weak marker, so that it identifies none of them.
    pub fn is_shared(&self, fingerprint: &Fingerprint) -> bool {
        self.slot_of(fingerprint).is_some_and(|(_, owner)| owner == NOBODY)
    }

    fn check(&self, page: usize) -> bool {
        let (word, bit) = (&self.checked[page / 64], 1 << (page % 64));
        if word.load(Ordering::Acquire) & bit != 0 {
            return true;
        }
        let all = self.bytes.as_ref();
        let at = self.header.offset(Section::Seals) as usize + page * SEAL;
        let bytes = &all[(page + 1) * PAGE..(page + 2) * PAGE];
        if seal(&self.seal_key, page, bytes) != all[at..at + SEAL] {
            let _ = self.damaged.compare_exchange(NONE, page, Ordering::AcqRel, Ordering::Acquire);
            return false;
        }
        word.fetch_or(bit, Ordering::AcqRel);
        true
    }

    /// These bytes of a section, checked.
    fn read(&self, section: Section, at: u64, length: usize) -> Option<&[u8]> {
        if at + length as u64 > self.header.length(section) {
            return None;
        }
        let from = (self.header.offset(section) + at) as usize;
        let pages = from / PAGE - 1..=(from + length - 1) / PAGE - 1;
        pages.into_iter().all(|page| self.check(page)).then(|| &self.bytes.as_ref()[from..from + length])
    }

    /// Kind and owner in the slot of this fingerprint.
    fn slot_of(&self, fingerprint: &Fingerprint) -> Option<(u8, u32)> {
        let mut place = [0; 8];
        place.copy_from_slice(&fingerprint[..8]);
        let mut at = home(u64::from_le_bytes(place), self.header.slots);
        loop {
            let slot = self.read(Section::Table, at * SLOT as u64, SLOT)?;
            if slot[11] == 0 {
                return None;
            }
            if slot[..10] == fingerprint[..10] && slot[10] == fingerprint[15] {
                return Some((slot[11] - 1, u32::from_le_bytes([slot[12], slot[13], slot[14], slot[15]])));
            }
            at += 1;
        }
    }

    fn sieve(&self, section: Section) -> Sieve<'_> {
        Sieve::new(&self.sieves[section as usize]).expect("its length was looked at when it was opened")
    }
}

/// What the fast scanner asks beyond single fingerprints.
pub(in crate::index) trait Sieved: Lookup {
    fn outline(&self) -> (&ClueKey, &Gates, Sieves<'_>);
}

/// The sieves of an index file.
#[derive(Clone, Copy)]
pub(in crate::index) struct Sieves<'a> {
    /// How addresses' domains and numbers begin: few, and so always at hand.
    pub heads: Sieve<'a>,
    pub addresses: Sieve<'a>,
    pub numbers: Sieve<'a>,
    pub digests: Sieve<'a>,
    pub words: Sieve<'a>,
}

impl<B: AsRef<[u8]>> Sieved for Image<B> {
    fn outline(&self) -> (&ClueKey, &Gates, Sieves<'_>) {
        let sieves = Sieves {
            heads: self.sieve(Section::Heads),
            addresses: self.sieve(Section::Addresses),
            numbers: self.sieve(Section::Numbers),
            digests: self.sieve(Section::Digests),
            words: self.sieve(Section::Words),
        };
        (&self.clues, &self.header.gates, sieves)
    }
}

impl<B: AsRef<[u8]>> Lookup for Image<B> {
    fn key(&self) -> &FingerprintKey {
        &self.fingerprints
    }

    fn may_hold(&self, space: u8, canonical: &[u8]) -> bool {
        self.sieve(Section::Wholes).passes(self.clues.whole(space, canonical))
    }

    fn get(&self, fingerprint: Fingerprint) -> Option<Entry> {
        let (kind, owner) = self.slot_of(&fingerprint)?;
        let kind = *MarkerKind::ALL.get(usize::from(kind))?;
        let digest = Digest::ALL.iter().copied().find(|digest| space_of_digest(*digest) == fingerprint[15]);
        let owner = match owner {
            NOBODY => return None,
            ghost if ghost & GHOST != 0 => Owner::Ghost(ghost & !GHOST),
            canary => {
                let mut id = [0; ID];
                id.copy_from_slice(self.read(Section::Owners, u64::from(canary) * ID as u64, ID)?);
                Owner::Canary(CanaryId(id))
            }
        };
        Some(Entry { owner, kind, digest })
    }
}
