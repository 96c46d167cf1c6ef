//! What each byte of a text is, sixty-four bytes at a time, where runs of them begin and end, and the hashes of many
//! words: by the widest instructions that this machine has. All paths give the same. The only unsafe code of the crate
//! stands in this folder.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod classes;
mod portable;

pub(super) use classes::{Bits, Classes, Mask, ahead, before, behind, flood, from};

use super::{clue::ClueKey, sieve::Sieve};

/// Blocks of sixty-four bytes that are looked through together.
pub(super) const BLOCKS: usize = 64;
/// The words that are asked for at once.
pub(super) const BATCH: usize = 32;
/// The longest word that is asked for together with others.
pub(super) const SHORT: usize = 15;

/// Words of a stretch, or what of them are to be asked for: where each begins, counted from some base, and its length.
pub(super) struct Words {
    pub starts: [u16; Words::ROOM],
    pub lengths: [u8; Words::ROOM],
    /// Room to work in.
    begun: [u16; Words::ROOM],
    ended: [u16; Words::ROOM],
    flags: [u8; Words::ROOM],
}

impl Words {
    const ROOM: usize = BLOCKS * 64 + 128;

    pub fn new() -> Box<Words> {
        let (places, bytes) = ([0; Words::ROOM], [0; Words::ROOM]);
        Box::new(Words { starts: places, lengths: bytes, begun: places, ended: places, flags: bytes })
    }
}

/// Where runs of a stretch begin and end, as many of the one as of the other but perhaps one that goes on.
pub(super) struct Runs<'a> {
    pub starts: &'a Bits,
    pub ends: &'a Bits,
    /// Set at the ends of runs that are wanted at all, and of those that hold a letter.
    pub wanted: &'a Bits,
    pub lettered: &'a Bits,
    /// Where, from the base on, the run began that was not ended before.
    pub open: Option<u16>,
    /// Where, from the base on, the stretch begins.
    pub lead: u16,
    /// Which lengths are wanted, of runs without letters and of others; the last stands for all above.
    pub lengths: &'a [[u8; 64]; 2],
}

/// What was made of the runs.
pub(super) struct Taken {
    /// How many words are asked for together with others.
    pub words: usize,
    /// How many are too long for that.
    pub long: usize,
    /// Where the last run began, if it goes on.
    pub open: Option<u16>,
}

/// Work that was written for every machine. What does it is `#[inline(always)]`, and so is what that calls: only so is it
/// compiled for the instructions that are there. A closure cannot say so of itself.
pub(super) trait Work {
    fn run(self);
}

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Those that this machine has, the widest last.
    pub fn all() -> Vec<Isa> {
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::is_here() {
                all.push(Isa::Avx2);
            }
            if avx512::is_here() {
                all.push(Isa::Avx512);
            }
        }
        all
    }

    /// The widest that this machine has.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::is_here() {
                return Isa::Avx512;
            }
            if avx2::is_here() {
                return Isa::Avx2;
            }
        }
        Isa::Portable
    }

    /// Does some work, compiled for these instructions.
    #[inline(always)]
    pub(super) fn with(self, work: impl Work) {
        match self {
            Isa::Portable => work.run(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::with(work),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::with(work),
        }
    }

    /// Which of these words, thirty-two at most, pass the sieve: a bit each. They stand in `text`.
    #[inline(always)]
    pub(super) fn sift(self, key: &ClueKey, sieve: Sieve<'_>, text: &[u8], starts: &[u16], lengths: &[u8]) -> u32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::sift(key, sieve, text, starts, lengths),
            _ => portable::sift(key, sieve, text, starts, lengths),
        }
    }

    /// Lists the words among these runs that are wanted, and the ends of those that are too long for `words`.
    #[inline(always)]
    pub(super) fn take(self, runs: &Runs<'_>, words: &mut Words, long: &mut [u16]) -> Taken {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::take(runs, words, long),
            _ => portable::take(runs, words, long),
        }
    }

    /// Lists the places of the bits of these masks, in order; answers how many there are. The list has room for all that
    /// can be, and for sixty-four more.
    #[inline(always)]
    pub(super) fn list(self, masks: &[u64], places: &mut [u16]) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::list(masks, places),
            _ => portable::list(masks, places),
        }
    }

    /// Classifies a stretch and what is behind it, at most sixty-five blocks, as the second block and those that follow.
    /// What is beyond its end is of no class.
    pub(super) fn classify(self, text: &[u8], classes: &mut Classes) {
        let (whole, rest) = text.as_chunks::<64>();
        debug_assert!(whole.len() <= BLOCKS + 1);
        self.classify_blocks(whole, 1, classes);
        let mut next = whole.len() + 1;
        if !rest.is_empty() {
            // What it is filled up with is of no class.
            let mut padded = [[0; 64]];
            padded[0][..rest.len()].copy_from_slice(rest);
            self.classify_blocks(&padded, next, classes);
            next += 1;
        }
        (next..BLOCKS + 2).for_each(|number| classes.put(number, [0; 12]));
    }

    /// Classifies these blocks, as those from this number on.
    #[inline(always)]
    fn classify_blocks(self, blocks: &[[u8; 64]], from: usize, classes: &mut Classes) {
        match self {
            Isa::Portable => portable::classify(blocks, from, classes),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::classify(blocks, from, classes),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::classify(blocks, from, classes),
        }
    }
}

/// Has memory fetch this, which will be looked at soon.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests;
