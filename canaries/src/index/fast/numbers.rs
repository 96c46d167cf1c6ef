//! Telephone numbers, NIR and IBAN: from each place where a number may begin, if enough digits follow.

use super::{Fast, Place, View};
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

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_numbers(&mut self, view: &View<'_>) {
        let c = view.here;
        let alnum = c.digit | c.alpha;
        let last = view.before.digit | view.before.alpha;
        let begins = !(alnum << 1 | last >> 63);
        if self.gates.phones != 0 || self.gates.nirs {
            let next = view.after;
            let part = |c: &super::Classes| c.digit | c.dot | c.dash | c.plus | c.slash | c.blank;
            let parts = u128::from(part(next)) << 64 | u128::from(part(c));
            let digits = u128::from(next.digit) << 64 | u128::from(c.digit);
            let least = if self.gates.phones == 0 { NIR } else { PHONE };
            let mut anchors = c.digit & begins;
            while anchors != 0 {
                let bit = anchors.trailing_zeros();
                anchors &= anchors - 1;
                let length = (!(parts >> bit)).trailing_zeros();
                let count = ((digits >> bit) as u64 & ((1 << length.min(63)) - 1)).count_ones();
                if count >= least || length >= 60 || self.goes_on(view.at + (bit + length) as usize, count) {
                    self.number(view.at + bit as usize);
                }
            }
            let mut plus = if self.gates.phones == 0 { 0 } else { c.plus };
            while plus != 0 {
                let at = view.at + plus.trailing_zeros() as usize;
                plus &= plus - 1;
                self.number(at);
            }
        }
        if self.gates.ibans {
            let shifted = |here: u64, next: u64, by: u32| here >> by | next << (64 - by);
            let mut starts = c.alpha
                & shifted(c.alpha, view.after.alpha, 1)
                & shifted(c.digit, view.after.digit, 2)
                & shifted(c.digit, view.after.digit, 3);
            while starts != 0 {
                let bit = starts.trailing_zeros();
                starts &= starts - 1;
                let at = view.at + bit as usize;
                if begins >> bit & 1 == 1 || labelled(self.text, at) {
                    self.iban(at);
                }
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
                self.add_number(clue::phone(&canonical[1..]), Place::Number { start });
            }
            MarkerKind::Nir if self.gates.nirs => self.add_number(clue::nir(canonical), Place::Number { start }),
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
                return self.add_number(clue::iban(&characters), Place::Number { start });
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
