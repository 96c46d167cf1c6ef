//! Addresses: what stands on both sides of an at-sign is the clue. Where an escape may be at work there, the domain alone.

use super::{Fast, Place, View};
use crate::index::clue::{self, AFTER};

/// The longest escape: one that begins so far before the clue may reach into it.
const REACH: usize = 10;

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_signs(&mut self, view: &View<'_>) {
        let mut signs = view.here.sign;
        if signs == 0 || self.sides.is_empty() {
            return;
        }
        // Bits 0 to 63 are the bytes before, 64 to 127 those here.
        let before = u128::from(view.here.intro) << 64 | u128::from(view.before.intro);
        let after = u128::from(view.after.intro) << 64 | u128::from(view.here.intro);
        while signs != 0 {
            let bit = signs.trailing_zeros();
            signs &= signs - 1;
            let at = view.at + bit as usize;
            let near = before >> (64 + bit - 18) & 0x3ffff | after >> bit >> 1 & 0x3f;
            if near == 0 {
                self.sign(at);
            } else {
                self.domain(at, at + 1, Place::Sign { at });
                self.sign(at);
            }
        }
    }

    fn sign(&mut self, at: usize) {
        for number in 0..self.sides.len() {
            let (before, behind) = self.sides[number];
            if before <= at && at + 1 + behind <= self.text.len() {
                let clue = clue::sign(&self.text[at - before..at], &self.text[at + 1..at + 1 + behind]);
                self.add_address(clue, Place::Sign { at });
            }
        }
    }

    /// Asks for the domain that begins at `from`; where even that may be escaped, there is nothing to ask.
    pub(super) fn domain(&mut self, at: usize, from: usize, place: Place) {
        debug_assert!(from > at);
        for length in AFTER {
            if !self.sides.iter().any(|(_, behind)| *behind == length) {
                continue;
            }
            let behind = &self.text[from.min(self.text.len())..self.text.len().min(from + length)];
            if behind.iter().any(|byte| matches!(byte, b'%' | b'=' | b'&' | b'\\')) {
                return self.look(place);
            }
            if behind.len() == length {
                self.add_address(clue::domain(behind), place);
            }
        }
    }
}

// The window that `see_signs` looks through holds the longest clue and the longest escape before it.
const _: () = assert!(clue::BEFORE[0] + REACH <= 18 && AFTER[0] <= 6);
