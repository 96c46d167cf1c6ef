//! Gathers markers and writes them as an index file. What it holds in memory is some thirty bytes a fingerprint; values
//! pass through and are not kept.

use super::{
    Counts, GHOST, ID, ImageKey, NOBODY, PAGE, SEAL, SLOT,
    header::{Header, Section},
    seal,
};
use crate::{
    canary::CanaryId,
    index::{
        Digest, Owner,
        canonical::canonical,
        clue::{self, AFTER, ClueKey},
        fingerprint::{Fingerprint, FingerprintKey},
        gates::{Gates, Make},
        sieve, tokens,
    },
    marker::{Marker, MarkerKind},
};
use std::{
    collections::HashSet,
    io::{self, Write},
};

/// A fingerprint on its way into the table. Ordered by its place there, then by when it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    place: u64,
    rest: [u8; 2],
    space: u8,
    /// Which number of row it was.
    order: u32,
    owner: u32,
    kind: MarkerKind,
}

impl Row {
    fn same(&self, other: &Row) -> bool {
        (self.place, self.rest, self.space) == (other.place, other.rest, other.space)
    }

    fn slot(&self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&self.place.to_le_bytes());
        slot[8..10].copy_from_slice(&self.rest);
        slot[10] = self.space;
        slot[11] = self.kind as u8 + 1;
        slot[12..].copy_from_slice(&self.owner.to_le_bytes());
        slot
    }
}

/// An index file in the making. The first owner of a marker keeps it, as in the index in memory: canaries go first.
pub struct ImageBuilder {
    key: ImageKey,
    salt: [u8; 16],
    mint_version: u32,
    fingerprints: FingerprintKey,
    clues: ClueKey,
    rows: Vec<Row>,
    canaries: Vec<CanaryId>,
    last_ghost: Option<u32>,
    ghosts: u64,
    gates: Gates,
    /// Hashes of beginnings, each of which many values share.
    heads: HashSet<u64>,
    /// Hashes for the sieves, in the sections' order.
    hashes: [Vec<u64>; Section::SIEVES.len()],
}

impl ImageBuilder {
    /// An empty one. The salt is random, and of this file alone.
    pub fn new(key: ImageKey, salt: [u8; 16], mint_version: u32) -> ImageBuilder {
        let (fingerprints, clues) = (key.fingerprints(&salt), key.clues(&salt));
        ImageBuilder {
            key,
            salt,
            mint_version,
            fingerprints,
            clues,
            rows: Vec::new(),
            canaries: Vec::new(),
            last_ghost: None,
            heads: HashSet::new(),
            ghosts: 0,
            gates: Gates::default(),
            hashes: Default::default(),
        }
    }

    /// Adds a marker under all the forms in which it is found. The markers of one owner follow each other.
    ///
    /// # Panics
    /// If a ghost's number is above two thousand millions.
    pub fn add(&mut self, owner: Owner, marker: &Marker) {
        let Some(canonical) = canonical(marker.kind, &marker.value) else { return };
        let owner = self.number(owner);
        for (fingerprint, kind, digest) in self.fingerprints.all(marker) {
            self.push(fingerprint, owner, kind);
            if let Some(digest) = digest {
                let value = digest.of(&canonical);
                let whole = self.clues.whole(fingerprint[15], &value);
                self.hash(Section::Wholes, whole);
                self.hash(Section::Digests, self.clues.hash(clue::digest(&value)));
                self.gates.digests = true;
            } else {
                let whole = self.clues.whole(fingerprint[15], canonical.as_bytes());
                self.hash(Section::Wholes, whole);
            }
        }
        self.outline(marker.kind, canonical.as_bytes());
    }

    fn push(&mut self, fingerprint: Fingerprint, owner: u32, kind: MarkerKind) {
        let mut place = [0; 8];
        place.copy_from_slice(&fingerprint[..8]);
        self.rows.push(Row {
            place: u64::from_le_bytes(place),
            rest: [fingerprint[8], fingerprint[9]],
            space: fingerprint[15],
            order: self.rows.len() as u32,
            owner,
            kind,
        });
    }

    fn hash(&mut self, section: Section, hash: u64) {
        self.hashes[section as usize].push(hash);
    }

    fn number(&mut self, owner: Owner) -> u32 {
        match owner {
            Owner::Canary(canary) => {
                if self.canaries.last() != Some(&canary) {
                    self.canaries.push(canary);
                }
                self.canaries.len() as u32 - 1
            }
            Owner::Ghost(number) => {
                assert!(number < GHOST - 1, "an index holds fewer ghosts than {GHOST}");
                self.ghosts += u64::from(self.last_ghost.replace(number) != Some(number));
                GHOST | number
            }
        }
    }

    /// Notes the clues to a value in its canonical form.
    fn outline(&mut self, kind: MarkerKind, value: &[u8]) {
        match kind {
            MarkerKind::WorkEmail | MarkerKind::PersonalEmail => {
                let Some((local, behind)) = clue::sides(value) else { return };
                self.gates.signs |= 1 << behind;
                let behind = &value[local.len() + 1..local.len() + 1 + AFTER[behind]];
                let sign = self.clues.hash(clue::sign(local, behind));
                self.hash(Section::Addresses, sign);
                self.head(clue::domain(behind));
            }
            MarkerKind::Phone => {
                self.gates.phones |= 1 << (value.len() - 1);
                self.head(clue::phone_head(&value[1..]));
                self.hash(Section::Numbers, self.clues.hash(clue::phone(&value[1..])));
            }
            MarkerKind::Nir => {
                self.gates.nirs = true;
                self.head(clue::nir_head(value));
                self.hash(Section::Numbers, self.clues.hash(clue::nir(value)));
            }
            MarkerKind::Iban => {
                self.gates.ibans = true;
                value.first_chunk().into_iter().for_each(|start| self.head(clue::iban_head(start)));
                self.hash(Section::Numbers, self.clues.hash(clue::iban(value)));
            }
            MarkerKind::EmployeeNumber | MarkerKind::BadgeNumber => {
                self.gates.numbers[usize::from(value.iter().any(u8::is_ascii_alphabetic))] |= 1 << value.len();
                self.word(value);
            }
            MarkerKind::Username | MarkerKind::DocumentLink => {
                self.gates.wide_names |= !value.is_ascii();
                self.word(value);
            }
            MarkerKind::Password => self.password(value),
        }
    }

    fn head(&mut self, clue: clue::Block) {
        self.heads.insert(self.clues.hash(clue));
    }

    fn word(&mut self, word: &[u8]) {
        self.gates.words[Make::of(word) as usize] |= 1 << word.len().min(127);
        self.hash(Section::Words, self.clues.hash(clue::word(word)));
    }

    fn password(&mut self, password: &[u8]) {
        self.gates.passwords = true;
        self.gates.wide |= !password.is_ascii();
        if password.iter().all(|byte| tokens::within(*byte)) {
            return self.word(password);
        }
        match clue::longest_part(password) {
            Some(part) => {
                self.gates.parts = true;
                self.word(part);
                self.hash(Section::Words, self.clues.hash(clue::part(part)));
            }
            None => self.gates.wordless = true,
        }
    }

    /// Writes the file, and says what is in it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(mut self, to: &mut dyn Write) -> io::Result<Counts> {
        self.rows.sort_unstable();
        let mut counts = Counts {
            canaries: self.canaries.len() as u64,
            ghosts: self.ghosts,
            kinds: MarkerKind::ALL.iter().map(|kind| (*kind, 0)).collect(),
            ..Counts::default()
        };
        settle(&mut self.rows, &mut counts);
        self.hashes[Section::Heads as usize] = self.heads.drain().collect();
        let mut sieves = std::mem::take(&mut self.hashes).map(|hashes| {
            let mut bytes = vec![0; sieve::length_for(hashes.len())];
            hashes.iter().for_each(|hash| sieve::add(&mut bytes, *hash));
            bytes
        });
        let sections = 0..;
        sieves.iter_mut().zip(sections).for_each(|(sieve, section)| self.key.veil(&self.salt, section, sieve));
        let slots = (self.rows.len() as u64 * 4).div_ceil(3).max(1);
        let mut lengths = [0; Section::COUNT];
        lengths.iter_mut().zip(&sieves).for_each(|(length, sieve)| *length = sieve.len() as u64);
        lengths[Section::Table as usize] = table_length(&self.rows, slots);
        lengths[Section::Owners as usize] = (self.canaries.len() * ID) as u64;
        let mut header = Header {
            mint_version: self.mint_version,
            salt: self.salt,
            counts,
            gates: self.gates,
            slots,
            lengths,
            seals: [0; 32],
        };
        let pages = header.offset(Section::Seals) / PAGE as u64 - 1;
        header.lengths[Section::Seals as usize] = pages * SEAL as u64;

        // The pages are made twice, which is cheap: once to be sealed, since the header goes first, once to be written.
        let seal_key = self.key.seals(&self.salt);
        let mut seals = Vec::with_capacity(pages as usize * SEAL);
        self.pages(&sieves, slots, &mut |page| {
            seals.extend(seal(&seal_key, seals.len() / SEAL, page));
            Ok(())
        })?;
        header.seals = *blake3::keyed_hash(&seal_key, &seals).as_bytes();
        to.write_all(&header.to_bytes(&self.key))?;
        self.pages(&sieves, slots, &mut |page| to.write_all(page))?;
        to.write_all(&seals)?;
        Ok(header.counts)
    }

    /// Shows every page of the sections before the seals.
    fn pages(&self, sieves: &[Vec<u8>], slots: u64, visit: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut pages = Pages { page: Vec::with_capacity(PAGE), visit };
        for sieve in sieves {
            pages.put(sieve)?;
            pages.end()?;
        }
        let mut next = 0;
        for row in &self.rows {
            let slot = home(row.place, slots).max(next);
            while next < slot {
                pages.put(&[0; SLOT])?;
                next += 1;
            }
            pages.put(&row.slot())?;
            next += 1;
        }
        let rest = table_length(&self.rows, slots) / SLOT as u64 - next;
        for _ in 0..rest {
            pages.put(&[0; SLOT])?;
        }
        pages.end()?;
        for canary in &self.canaries {
            pages.put(&canary.0)?;
        }
        pages.end()
    }
}

/// Cuts what is put into it into pages.
struct Pages<'a> {
    page: Vec<u8>,
    visit: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Pages<'_> {
    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (some, rest) = bytes.split_at(bytes.len().min(PAGE - self.page.len()));
            self.page.extend_from_slice(some);
            bytes = rest;
            if self.page.len() == PAGE {
                (self.visit)(&self.page)?;
                self.page.clear();
            }
        }
        Ok(())
    }

    /// Fills the page that was begun.
    fn end(&mut self) -> io::Result<()> {
        if !self.page.is_empty() {
            self.page.resize(PAGE, 0);
            (self.visit)(&self.page)?;
            self.page.clear();
        }
        Ok(())
    }
}

/// Leaves one row for each fingerprint: the first owner's, or nobody's where a weak marker has several. Counts them.
fn settle(rows: &mut Vec<Row>, counts: &mut Counts) {
    rows.dedup_by(|later, first| {
        let same = later.same(first);
        if same && later.kind.is_weak() && later.owner != first.owner {
            first.owner = NOBODY;
        }
        same
    });
    for row in rows.iter() {
        if row.owner == NOBODY {
            counts.shared += 1;
            continue;
        }
        counts.fingerprints += 1;
        if Digest::ALL.iter().any(|digest| row.space == 0x80 | *digest as u8) {
            counts.digests += 1;
        } else if let Some((_, count)) = counts.kinds.iter_mut().find(|(kind, _)| *kind == row.kind) {
            *count += 1;
        }
    }
}

/// The slot from which a fingerprint is looked for.
pub(super) fn home(place: u64, slots: u64) -> u64 {
    ((u128::from(place) * u128::from(slots)) >> 64) as u64
}

/// The length of the table: its last slot is empty, so that no search leaves it.
fn table_length(rows: &[Row], slots: u64) -> u64 {
    let end = rows.iter().fold(0, |next, row| home(row.place, slots).max(next) + 1);
    (end.max(slots) + 1) * SLOT as u64
}
