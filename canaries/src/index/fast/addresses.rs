//! Addresses: the local part before an at-sign and the beginning of the domain are the clue, from each place where the
//! local part may begin. Where an escape may be at work there, the domain alone.

use super::{Fast, Place, Stretch};
use crate::index::{
    clue::{self, AFTER},
    simd::{self, Classes},
};

/// The longest escape: one that begins so far before a local part may reach into it.
const REACH: u32 = 10;
/// So many marks within a local part may stand before its true beginning.
const MARKS: u32 = 8;
/// The longest local part of which the bytes before are always in sight.
const LONGEST: u32 = 64 - REACH;

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_signs(&mut self, stretch: &Stretch<'_>) {
        if self.gates.signs != 0 {
            let signs = stretch.masks(|n| stretch.classes.sign[n + 1]);
            self.each(stretch, &signs, |fast, place| fast.see_sign(stretch, place));
        }
    }

    #[inline(always)]
    fn see_sign(&mut self, stretch: &Stretch<'_>, place: u16) {
        let (c, at) = (stretch.classes, stretch.place(place));
        let escaped = simd::from(&c.intro, place) >> 1 & 0x3f != 0;
        if escaped || self.is_domain(at + 1) {
            self.see_local(c, place, at, escaped);
        }
    }

    /// Looks at what stands before an at-sign.
    #[inline(never)]
    fn see_local(&mut self, c: &Classes, place: u16, at: usize, escaped: bool) {
        let marks = simd::before(&c.dot, place)
            | simd::before(&c.dash, place)
            | simd::before(&c.plus, place)
            | simd::before(&c.quote, place);
        let run = (simd::before(&c.alnum, place) | marks).leading_ones();
        if run == 0 || escaped || run > LONGEST {
            return self.odd_sign(at, run);
        }
        // An escape may end where the local part seems to begin: then its true beginning is within it or before it.
        if simd::before(&c.intro, place) << run >> (64 - REACH) != 0 {
            return self.domain(at + 1, Place::Sign { at });
        }
        self.sign(at, run as usize);
        let mut inner = marks >> (64 - run);
        let mut taken = 0;
        // From the lowest place on, as the reference takes them.
        while inner != 0 && taken < MARKS {
            let mark = inner.trailing_zeros();
            inner &= inner - 1;
            taken += 1;
            if mark + 1 < run {
                self.sign(at, (run - mark - 1) as usize);
            }
        }
    }

    /// Whether some address's domain begins as these bytes do.
    #[inline(always)]
    fn is_domain(&self, from: usize) -> bool {
        let Some(head) = self.text[from..].first_chunk::<8>() else { return true };
        let head = u64::from_le_bytes(*head);
        AFTER.iter().enumerate().any(|(number, length)| {
            self.gates.behind(number) && self.begins(clue::domain_of(head & ((1 << (8 * length)) - 1), *length))
        })
    }

    /// Asks for the address whose local part has this length.
    #[inline(always)]
    fn sign(&mut self, at: usize, length: usize) {
        let text = self.text;
        let local = &text[at - length..at];
        let place = Place::Sign { at };
        if let (Some(last), Some(head)) = (text[..at].last_chunk::<16>(), text[at + 1..].first_chunk::<8>()) {
            let last = u128::from_le_bytes(*last) >> (128 - 8 * length.min(16));
            let head = u64::from_le_bytes(*head);
            if self.gates.behind(0) {
                self.ask_address(clue::sign_of(last, local, head & 0xffff_ffff_ffff, AFTER[0]), place);
            }
            if self.gates.behind(1) {
                self.ask_address(clue::sign_of(last, local, head & 0xff_ffff, AFTER[1]), place);
            }
            return;
        }
        for (number, length) in AFTER.into_iter().enumerate() {
            if self.gates.behind(number) && at + 1 + length <= text.len() {
                self.ask_address(clue::sign(local, &text[at + 1..at + 1 + length]), place);
            }
        }
    }

    /// An at-sign behind nothing, behind very much, or before an escape.
    #[inline(never)]
    fn odd_sign(&mut self, at: usize, run: u32) {
        let nothing = run == 0
            && !self.text[at.saturating_sub(REACH as usize)..at]
                .iter()
                .any(|byte| matches!(byte, b'%' | b'=' | b'&' | b'\\'));
        if !nothing {
            self.domain(at + 1, Place::Sign { at });
        }
    }

    /// Asks for the domain that begins at `from`; where even that may be escaped, there is nothing to ask.
    pub(super) fn domain(&mut self, from: usize, place: Place) {
        for (number, length) in AFTER.into_iter().enumerate() {
            if !self.gates.behind(number) {
                continue;
            }
            let behind = &self.text[from.min(self.text.len())..self.text.len().min(from + length)];
            if behind.iter().any(|byte| matches!(byte, b'%' | b'=' | b'&' | b'\\')) {
                return self.look(place);
            }
            if behind.len() == length && self.begins(clue::domain(behind)) {
                return self.look(place);
            }
        }
    }
}

// The window behind the at-sign that is looked through for escapes holds the longest clue.
const _: () = assert!(AFTER[0] <= 6);
