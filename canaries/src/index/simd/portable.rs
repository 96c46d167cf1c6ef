//! The path of every machine: what a compiler makes vectors of by itself.

use super::{BATCH, Classes, Runs, SHORT, Taken, Words, classes::Block};
use crate::index::{
    clue::{self, ClueKey},
    sieve::Sieve,
};

pub(super) fn classify(text: &[[u8; 64]], from: usize, classes: &mut Classes) {
    for (number, bytes) in text.iter().enumerate() {
        classes.put(from + number, block(bytes));
    }
}

/// The classes of sixty-four bytes.
fn block(bytes: &[u8; 64]) -> Block {
    let is = |byte: u8| mask(bytes, |other| other == byte);
    let (percent, equals, and, back) = (is(b'%'), is(b'='), is(b'&'), is(b'\\'));
    [
        mask(bytes, |byte| byte.wrapping_sub(b'0') < 10),
        mask(bytes, |byte| (byte | 0x20).wrapping_sub(b'a') < 26),
        is(b'.'),
        is(b'-') | is(b'_'),
        is(b'+'),
        is(b'/'),
        is(b' ') | is(b'(') | is(b')'),
        percent | equals | and | back,
        back,
        is(b'@'),
        is(b'\''),
        mask(bytes, |byte| byte >= 0x80),
    ]
}

/// A bit for each byte of which this holds: a byte for each, which are compiled to vectors, and eight of those at a time
/// gathered by a multiplication into its highest byte.
#[inline(always)]
fn mask(bytes: &[u8; 64], holds: impl Fn(u8) -> bool) -> u64 {
    let mut ones = [0_u8; 64];
    for (one, byte) in ones.iter_mut().zip(bytes) {
        *one = u8::from(holds(*byte));
    }
    let gathered = |ones: &[u8; 8]| u64::from_le_bytes(*ones).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let eights = ones.as_chunks().0.iter().enumerate();
    eights.fold(0, |mask, (number, ones)| mask | gathered(ones) << (8 * number))
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
