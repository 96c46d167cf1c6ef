//! Telephone numbers, NIR and IBAN: from each place where a number may begin, if enough digits follow.

use super::{Bits, Fast, Place, Stretch, View};
use crate::{
    index::{
        canonical::{is_iban_start, separator},
        clue,
        identifiers::{behind_plus, each_number, labelled, skip},
    },
    marker::MarkerKind,
};

/// The least digits of a phone that does not begin with a plus, and of an NIR.
const PHONE: u32 = 9;
const NIR: u32 = 13;

/// The bytes that no letter or digit precedes.
#[inline(always)]
fn begins(view: &View<'_>) -> u64 {
    !((view.here.digit | view.here.alpha) << 1 | (view.before.digit | view.before.alpha) >> 63)
}

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_numbers(&mut self, stretch: &Stretch<'_>, bits: &mut Bits) {
        if self.gates.phones == 0 && !self.gates.nirs {
            return;
        }
        let least = if self.gates.phones == 0 { NIR } else { PHONE };
        let pluses = if self.gates.phones == 0 { 0 } else { u64::MAX };
        bits.clear();
        for (number, view) in stretch.views().enumerate() {
            bits.add(number, view.here.digit & begins(&view) | view.here.plus & pluses);
        }
        for place in bits.places() {
            let view = stretch.view(usize::from(place / 64));
            let part = |c: &super::Classes| c.digit | c.dot | c.dash | c.plus | c.slash | c.blank;
            let parts = u128::from(part(view.after)) << 64 | u128::from(part(view.here));
            let digits = u128::from(view.after.digit) << 64 | u128::from(view.here.digit);
            let bit = u32::from(place % 64);
            let length = (!(parts >> bit)).trailing_zeros();
            let count = ((digits >> bit) as u64 & ((1 << length.min(63)) - 1)).count_ones();
            // A plus spares a phone its zero.
            let wanted = least - (view.here.plus >> bit & 1) as u32;
            let at = view.at + bit as usize;
            if count >= wanted || length >= 60 || self.goes_on(at + length as usize, count) {
                self.number(at);
            }
        }
    }

    #[inline(always)]
    pub(super) fn see_ibans(&mut self, stretch: &Stretch<'_>, bits: &mut Bits) {
        if !self.gates.ibans {
            return;
        }
        bits.clear();
        let shifted = |here: u64, next: u64, by: u32| here >> by | next << (64 - by);
        for (number, view) in stretch.views().enumerate() {
            let (here, next) = (view.here, view.after);
            let starts = here.alpha
                & shifted(here.alpha, next.alpha, 1)
                & shifted(here.digit, next.digit, 2)
                & shifted(here.digit, next.digit, 3);
            bits.add(number, starts);
        }
        for place in bits.places() {
            let view = stretch.view(usize::from(place / 64));
            let at = view.at + usize::from(place % 64);
            if begins(&view) >> (place % 64) & 1 == 1 || labelled(self.text, at) {
                self.iban(at);
            }
        }
    }

    /// Whether a number may go on where digits and plain separators end: with a separator of several bytes or one beyond
    /// ASCII, or with the letter of Corsica.
    #[inline(always)]
    fn goes_on(&self, at: usize, digits: u32) -> bool {
        match self.text.get(at) {
            Some(b'A' | b'B' | b'a' | b'b') => digits == 6,
            Some(b'\xa0' | b'\xc2' | b'\xe2' | b'\\' | b'&' | b'%' | b'=') => separator(&self.text[at..]).is_some(),
            _ => false,
        }
    }

    /// Asks for the numbers that begin here, with a digit or a plus.
    pub(super) fn number(&mut self, start: usize) {
        let text = self.text;
        let (from, plus) = if text[start] == b'+' { (start + 1, true) } else { (start, behind_plus(text, start)) };
        each_number(text, from, plus, |kind, canonical, _| match kind {
            MarkerKind::Phone if self.gates.phone(canonical.len() - 1) => {
                self.ask_number(clue::phone(&canonical[1..]), Place::Number { start });
            }
            MarkerKind::Nir if self.gates.nirs => self.ask_number(clue::nir(canonical), Place::Number { start }),
            _ => {}
        });
    }

    /// Asks for the IBAN that begins here.
    pub(super) fn iban(&mut self, start: usize) {
        let (mut characters, mut count) = ([0; 15], 0);
        let mut at = start;
        while let Some(byte) = self.text.get(at).filter(|byte| byte.is_ascii_alphanumeric()) {
            characters[count] = byte.to_ascii_uppercase();
            count += 1;
            if count == 15 {
                return self.ask_number(clue::iban(&characters), Place::Number { start });
            }
            at += 1;
            if self.text.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric()) {
                match skip(self.text, at) {
                    Some(next) => at = next,
                    None => return,
                }
            }
        }
    }

    /// Asks for what begins right behind an escape.
    pub(super) fn number_behind_escape(&mut self, at: usize) {
        match self.text.get(at) {
            Some(b'0'..=b'9') => self.number(at),
            Some(b'a'..=b'z' | b'A'..=b'Z') if self.gates.ibans && is_iban_start(&self.text[at..]) => self.iban(at),
            _ => {}
        }
    }
}
