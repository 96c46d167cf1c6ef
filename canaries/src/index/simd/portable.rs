//! The path of every machine: a table.

use super::{BATCH, Classes, Runs, SHORT, Taken, Words, classes::Block};
use crate::index::{
    clue::{self, ClueKey},
    sieve::Sieve,
};

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let is = byte as u8;
        table[byte] = is.is_ascii_digit() as u16
            | (is.is_ascii_alphabetic() as u16) << 1
            | ((is == b'.') as u16) << 2
            | (matches!(is, b'-' | b'_') as u16) << 3
            | ((is == b'+') as u16) << 4
            | ((is == b'/') as u16) << 5
            | (matches!(is, b' ' | b'(' | b')') as u16) << 6
            | (matches!(is, b'%' | b'=' | b'&' | b'\\') as u16) << 7
            | ((is == b'\\') as u16) << 8
            | ((is == b'@') as u16) << 9
            | ((is == b'\'') as u16) << 10
            | ((is >= 0x80) as u16) << 11;
        byte += 1;
    }
    table
}

static TABLE: [u16; 256] = table();

pub(super) fn classify(text: &[[u8; 64]], from: usize, classes: &mut Classes) {
    for (number, bytes) in text.iter().enumerate() {
        classes.put(from + number, block(bytes));
    }
}

/// The classes of sixty-four bytes.
fn block(bytes: &[u8; 64]) -> Block {
    let mut masks = [0_u64; 12];
    for (at, byte) in bytes.iter().enumerate() {
        let is = TABLE[usize::from(*byte)];
        for (class, mask) in masks.iter_mut().enumerate() {
            *mask |= u64::from(is >> class & 1) << at;
        }
    }
    masks
}

/// See `Isa::sift`.
#[inline(always)]
pub(super) fn sift(key: &ClueKey, sieve: Sieve<'_>, text: &[u8], starts: &[u16], lengths: &[u8]) -> u32 {
    let mut hashes = [0; BATCH];
    for (hash, (&start, &length)) in hashes.iter_mut().zip(starts.iter().zip(lengths)) {
        let (start, length) = (usize::from(start), usize::from(length));
        *hash = key.hash(match text[start..].first_chunk() {
            Some(bytes) => clue::short_word(bytes, length),
            None => clue::word(&text[start..start + length]),
        });
        sieve.fetch(*hash);
    }
    let passed = hashes[..starts.len()].iter().map(|hash| u32::from(sieve.passes(*hash)));
    passed.enumerate().fold(0, |bits, (number, passed)| bits | passed << number)
}

/// See `Isa::take`.
#[inline(always)]
pub(super) fn take(runs: &Runs<'_>, words: &mut Words, long: &mut [u16]) -> Taken {
    let Words { begun: starts, ended: ends, .. } = words;
    let mut begun = 0;
    if let Some(open) = runs.open {
        starts[0] = open.wrapping_sub(runs.lead);
        begun = 1;
    }
    begun += list(runs.starts, &mut starts[begun..]);
    let ended = list(runs.ends, ends);
    let mut taken = Taken { words: 0, long: 0, open: None };
    for (&start, &end) in starts[..ended].iter().zip(&ends[..ended]) {
        let bit = |bits: &[u64]| bits[usize::from(end / 64)] >> (end % 64) & 1 == 1;
        let length = usize::from(end.wrapping_sub(start));
        let known = runs.lengths[usize::from(bit(runs.lettered))][length.min(63)] != 0;
        // Written whether it is one or not, and overwritten by the next one: no branch has to foresee it.
        words.starts[taken.words] = start.wrapping_add(runs.lead);
        words.lengths[taken.words] = length as u8;
        taken.words += usize::from(bit(runs.wanted) & known & (length <= SHORT));
        if length > SHORT && known && bit(runs.wanted) {
            long[taken.long] = end;
            taken.long += 1;
        }
    }
    taken.open = (begun > ended).then(|| starts[begun - 1].wrapping_add(runs.lead));
    taken
}

/// Bits are written eight at a time whether they are there or not, which no branch has to foresee.
#[inline(always)]
pub(super) fn list(masks: &[u64], places: &mut [u16]) -> usize {
    let mut count = 0;
    for (number, mask) in masks.iter().enumerate() {
        let (mut mask, base) = (*mask, (number * 64) as u16);
        let end = count + mask.count_ones() as usize;
        while mask != 0 {
            let some: &mut [u16; 8] = (&mut places[count..count + 8]).try_into().expect("eight of them");
            for place in some {
                // A mask without bits gives a place beyond, which the next ones overwrite.
                *place = base.wrapping_add(mask.trailing_zeros() as u16);
                mask &= mask.wrapping_sub(1);
            }
            count += 8;
        }
        count = end;
    }
    count
}
