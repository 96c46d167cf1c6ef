//! Telephone numbers, NIR and IBAN: from each place where a number may begin, if enough digits follow.

use super::{Fast, Place, Stretch};
use crate::{
    index::{
        canonical::{is_iban_start, separator},
        clue,
        identifiers::{behind_plus, each_number, labelled, skip},
        simd::{self, BLOCKS, Classes, Mask, ahead, behind},
    },
    marker::MarkerKind,
};

/// The least digits of a phone that does not begin with a plus, and of an NIR.
const PHONE: u32 = 9;
const NIR: u32 = 13;

/// The bytes that no letter or digit precedes.
#[inline(always)]
fn begins(c: &Classes, block: usize) -> u64 {
    !behind(&c.alnum, block, 1)
}

/// The bytes from which on so many may stand in a number. An escape's are taken for such, and a letter between such,
/// which may be Corsica's.
#[inline(always)]
fn long_enough(stretch: &Stretch<'_>, least: u32) -> Mask {
    let (c, blocks) = (stretch.classes, stretch.blocks.min(BLOCKS));
    let mut parts = c.number;
    if c.intro[..blocks + 2].iter().fold(0, |any, intro| any | intro) != 0 {
        for block in 0..=blocks {
            let here = |by: u32| c.intro[block + 1] << by | c.intro[block] >> (64 - by);
            parts[block + 1] |= (1..8).fold(0, |smeared, by| smeared | here(by));
        }
    }
    let before = parts;
    for block in 0..blocks {
        parts[block + 1] |= c.alpha[block + 1] & behind(&before, block, 1) & ahead(&before, block, 1);
    }
    // At the end of what is in sight, the bytes before and behind are as well as known.
    parts[blocks + 1] |=
        c.alpha[blocks + 1] & (before[blocks + 1] << 1 | before[blocks] >> 63) & before[blocks + 1] >> 1;
    // A bit stays where as many follow as are wanted.
    let mut run = 1;
    while run < least {
        let by = run.min(least - run);
        for block in 0..blocks {
            parts[block + 1] &= parts[block + 1] >> by | parts[block + 2] << (64 - by);
        }
        parts[blocks + 1] &= parts[blocks + 1] >> by;
        run += by;
    }
    parts
}

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_numbers(&mut self, stretch: &Stretch<'_>) {
        let (c, phones) = (stretch.classes, self.gates.phones != 0);
        if !phones && !self.gates.nirs {
            return;
        }
        let least = if phones { PHONE } else { NIR };
        let long = long_enough(stretch, least);
        let pluses = if phones { u64::MAX } else { 0 };
        let starts = stretch.masks(|n| (c.digit[n + 1] & begins(c, n) | c.plus[n + 1] & pluses) & long[n + 1]);
        self.each(stretch, &starts, |fast, place| fast.see_number(stretch, place, least));
    }

    #[inline(always)]
    fn see_number(&mut self, stretch: &Stretch<'_>, place: u16, least: u32) {
        let (c, at) = (stretch.classes, stretch.place(place));
        let digits = simd::from(&c.digit, place);
        // Most numbers are written without separators: what is known of them rules most of them out at once.
        match digits.trailing_ones() {
            10 if self.text[at] == b'0' && self.text[at + 1] != b'0' => {
                let mut head = *b"33\0\0\0\0\0";
                head[2..].copy_from_slice(&self.text[at + 1..at + 6]);
                if !self.begins(clue::phone_head(&head)) {
                    return;
                }
            }
            13.. if !matches!(self.text[at..at + 2], [b'0', b'0'])
                && !(self.gates.nirs && self.begins(clue::nir_head(&self.text[at..at + 13]))) =>
            {
                return;
            }
            _ => {}
        }
        let part = |mask: &Mask| simd::from(mask, place);
        let strange = part(&c.high) | part(&c.intro);
        let length = (part(&c.number) & !strange).trailing_ones();
        let count = (digits & ((1 << length.min(63)) - 1)).count_ones();
        // A plus spares a phone its zero.
        let wanted = least - u32::from(self.text[at] == b'+');
        if count >= wanted || length >= 60 || self.goes_on(at + length as usize, count) {
            self.number(at);
        }
    }

    #[inline(always)]
    pub(super) fn see_ibans(&mut self, stretch: &Stretch<'_>) {
        if !self.gates.ibans {
            return;
        }
        let c = stretch.classes;
        let starts = stretch.masks(|n| {
            let label =
                behind(&c.alpha, n, 1) & behind(&c.alpha, n, 2) & behind(&c.alpha, n, 3) & behind(&c.alpha, n, 4);
            let country = c.alpha[n + 1] & ahead(&c.alpha, n, 1);
            country & ahead(&c.digit, n, 2) & ahead(&c.digit, n, 3) & (begins(c, n) | label)
        });
        self.each(stretch, &starts, |fast, place| {
            let at = stretch.place(place);
            // Most are written without separators.
            let whole = simd::from(&c.alnum, place).trailing_ones() >= 9;
            if whole && !fast.begins(clue::iban_head(fast.text[at..].first_chunk().expect("nine bytes are there"))) {
                return;
            }
            if simd::before(&c.alnum, place) >> 63 == 0 || labelled(fast.text, at) {
                fast.iban(at);
            }
        });
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
            MarkerKind::Phone
                if self.gates.phone(canonical.len() - 1) && self.begins(clue::phone_head(&canonical[1..])) =>
            {
                self.ask_number(clue::phone(&canonical[1..]), Place::Number { start });
            }
            MarkerKind::Nir if self.gates.nirs && self.begins(clue::nir_head(canonical)) => {
                self.ask_number(clue::nir(canonical), Place::Number { start })
            }
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
            if count == 9 && !self.begins(clue::iban_head(characters.first_chunk().expect("fifteen are more"))) {
                return;
            }
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
