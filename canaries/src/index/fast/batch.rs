//! Clues that wait to be asked together, so that the cipher and the memory work on many at once.

use crate::index::{
    clue::{Block, ClueKey, hash_of},
    sieve::Sieve,
};

/// How many clues are asked together.
const MANY: usize = 256;

/// Where a clue was found, and what is to be read there if it passes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A run of word's bytes.
    Word {
        start: usize,
        end: usize,
    },
    /// A number that is written as two words.
    Joined {
        start: usize,
        end: usize,
    },
    /// An at-sign.
    Sign {
        at: usize,
    },
    /// An escape that stands for one, as a place in the list of them.
    Written {
        at: usize,
        which: usize,
    },
    Number {
        start: usize,
    },
    Hexadecimal {
        start: usize,
        end: usize,
    },
    Base64 {
        start: usize,
        end: usize,
    },
}

/// Clues to be asked of one sieve.
pub(super) struct Batch {
    blocks: Box<[Block; MANY]>,
    places: Box<[Place; MANY]>,
    count: usize,
}

impl Batch {
    pub fn new() -> Batch {
        Batch { blocks: Box::new([[0; 16]; MANY]), places: Box::new([Place::Sign { at: 0 }; MANY]), count: 0 }
    }

    /// Adds a clue; true if there is no room for another.
    #[inline(always)]
    #[must_use]
    pub fn push(&mut self, clue: Block, place: Place) -> bool {
        self.blocks[self.count] = clue;
        self.places[self.count] = place;
        self.count += 1;
        self.count == MANY
    }

    /// Asks all of them, and answers the places of those that passed.
    pub fn ask(&mut self, key: &ClueKey, sieve: Sieve<'_>) -> Vec<Place> {
        let blocks = &mut self.blocks[..self.count];
        key.encrypt(blocks);
        let mut places = Vec::new();
        for (block, place) in blocks.iter().zip(&*self.places) {
            if sieve.passes(hash_of(block)) {
                places.push(*place);
            }
        }
        self.count = 0;
        places
    }
}
