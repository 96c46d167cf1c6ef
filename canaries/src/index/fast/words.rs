//! Words: each run of a word's bytes is asked for once in small letters, whatever it may be; a run with marks, with
//! bytes beyond ASCII or behind an escape also in the cuts in which the reference tries it.

use super::{Fast, Place, View};
use crate::{
    index::{
        canonical::canonical,
        clue, fields,
        tokens::{self, joins},
    },
    marker::MarkerKind,
};

/// The run that is being read, and the one before it.
#[derive(Default)]
pub(super) struct Open {
    start: usize,
    inside: bool,
    special: u64,
    before: (usize, usize),
}

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_words(&mut self, view: &View<'_>) {
        if self.gates.words == 0 {
            return;
        }
        let c = view.here;
        let special = c.dot | c.dash | c.high;
        let word = c.digit | c.alpha | special;
        let behind_intro = c.intro << 1 | view.before.intro >> 63;
        let Open { mut start, mut inside, special: mut seen, .. } = self.word;
        let mut edges = word ^ (word << 1 | u64::from(inside));
        let mut from = 0;
        while edges != 0 {
            let bit = edges.trailing_zeros();
            edges &= edges - 1;
            let at = view.at + bit as usize;
            if inside {
                inside = false;
                self.word(start, at, seen | special & ((1 << bit) - 1) & (u64::MAX << from));
            } else {
                inside = true;
                (start, from, seen) = (at, bit, behind_intro >> bit & 1);
            }
        }
        if inside {
            seen |= special & (u64::MAX << from);
        }
        (self.word.start, self.word.inside, self.word.special) = (start, inside, seen);
    }

    /// Closes a run that goes on to the end of the text.
    pub(super) fn end_words(&mut self) {
        if self.word.inside {
            self.word.inside = false;
            self.word(self.word.start, self.text.len(), self.word.special);
        }
    }

    /// The run that was read: `special` is not zero if it holds marks or bytes beyond ASCII, or stands behind what begins
    /// an escape.
    #[inline(always)]
    fn word(&mut self, start: usize, end: usize, special: u64) {
        if special != 0 {
            self.special_word(start, end);
        } else if self.lengths[(end - start).min(127)] {
            let clue = match self.text[start..].first_chunk() {
                Some(bytes) if end - start <= 15 => clue::short_word(bytes, end - start),
                _ => clue::word(&self.text[start..end]),
            };
            self.add_word(clue, Place::Word { start, end });
        }
        let (first, last) = std::mem::replace(&mut self.word.before, (start, end));
        if last + 1 == start && start - first <= 8 && end - start <= 16 && self.gates.numbers != 0 {
            self.join(first, start, end);
        }
    }

    /// A number written as two words: `EMP 00123`.
    fn join(&mut self, first: usize, start: usize, end: usize) {
        if first < last_byte(start) && joins(self.text, first, start, end) {
            self.number_word(first, end, Place::Joined { start: first, end });
        }
    }

    /// Asks for the employee or badge number that these bytes may be.
    fn number_word(&mut self, start: usize, end: usize, place: Place) {
        let bytes = &self.text[start..end];
        if !bytes.is_ascii() {
            return self.look(place);
        }
        let (mut compact, mut length) = ([0; 40], 0);
        for byte in bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).take(40) {
            compact[length] = *byte;
            length += 1;
        }
        if self.gates.number(length) && compact[..length].iter().any(u8::is_ascii_digit) {
            self.add_word(clue::word(&compact[..length]), place);
        }
    }

    /// A run that is tried in several cuts.
    #[inline(never)]
    fn special_word(&mut self, start: usize, end: usize) {
        let place = Place::Word { start, end };
        let text = self.text;
        if self.dotted_word(start, end) {
            return;
        }
        let mut cuts = Cuts::default();
        cuts.add(start, end);
        let mark = |byte: &&u8| matches!(byte, b'.' | b'-' | b'_');
        let inner_start = start + text[start..end].iter().take_while(mark).count();
        let inner_end = end - text[inner_start..end].iter().rev().take_while(mark).count();
        cuts.add(inner_start, inner_end);
        if let Some(dot) = memchr::memchr(b'.', &text[inner_start..inner_end]) {
            cuts.add(inner_start, inner_start + dot);
        }
        for skipped in behind_escape(text, start) {
            cuts.add(start + skipped, inner_end);
            cuts.add(start + skipped, end);
        }
        for (from, to) in cuts.all() {
            let word = &text[from..to];
            if self.gates.word(to - from) {
                self.add_word(clue::word(word), place);
            }
            if !word.is_ascii() {
                self.beyond_ascii(word, place);
            }
            let numbered = || word.len() <= 40 && word.iter().any(u8::is_ascii_digit);
            if self.gates.numbers != 0 && word.iter().any(|byte| !byte.is_ascii_alphanumeric()) && numbered() {
                self.number_word(from, to, place);
            }
        }
    }

    /// A short word of ASCII with marks in its midst, as most are; false if it is none.
    #[inline(always)]
    fn dotted_word(&mut self, start: usize, end: usize) -> bool {
        let (text, length) = (self.text, end - start);
        let Some(bytes) = text[start..].first_chunk::<16>().filter(|_| length <= 15) else { return false };
        let (mut dot, mut others, mut digits) = (length, 0_usize, 0_usize);
        for (at, byte) in bytes[..length].iter().enumerate().rev() {
            match byte {
                b'.' => dot = at,
                b'-' | b'_' => others += 1,
                b'0'..=b'9' => digits += 1,
                0x80.. => return false,
                _ => {}
            }
        }
        let mark = |byte: u8| matches!(byte, b'.' | b'-' | b'_');
        let escaped = start > 0 && matches!(text[start - 1], b'\\' | b'%' | b'=');
        if escaped || mark(bytes[0]) || mark(bytes[length - 1]) {
            return false;
        }
        let place = Place::Word { start, end };
        if self.lengths[length] {
            self.add_word(clue::short_word(bytes, length), place);
        }
        if dot < length && self.lengths[dot] {
            self.add_word(clue::short_word(bytes, dot), place);
        }
        if digits > 0 && self.gates.numbers != 0 && (others > 0 || dot < length) {
            self.number_word(start, end, place);
        }
        true
    }

    /// A word with letters beyond ASCII, as the user name that it may be.
    fn beyond_ascii(&mut self, word: &[u8], place: Place) {
        if !tokens::LENGTHS.contains(&word.len()) {
            return;
        }
        if let Some(folded) = latin(word) {
            if folded != word && self.gates.word(folded.len()) {
                self.add_word(clue::word(&folded), place);
            }
        } else if let Some(name) = std::str::from_utf8(word).ok().and_then(|word| canonical(MarkerKind::Username, word))
            && self.gates.word(name.len())
        {
            self.add_word(clue::word(name.as_bytes()), place);
        }
    }

    /// Tries the fields around a word that is part of a password.
    pub(super) fn look_for_parts(&mut self, start: usize, end: usize) {
        if !self.gates.parts {
            return;
        }
        let starts = std::iter::once(0).chain(behind_escape(self.text, start)).map(|skipped| start + skipped);
        let passes =
            |from: usize| from < end && self.sieves.words.passes(self.clues.hash(clue::part(&self.text[from..end])));
        if starts.into_iter().any(passes) {
            fields::find_around(&mut self.search, start.saturating_sub(fields::LONGEST), end);
        }
    }
}

/// The place of the byte before.
fn last_byte(start: usize) -> usize {
    start.saturating_sub(1)
}

/// How many bytes of a run may belong to an escape that begins right before it.
fn behind_escape(text: &[u8], start: usize) -> impl Iterator<Item = usize> + use<> {
    let skipped: &[usize] = match start.checked_sub(1).map(|before| text[before]) {
        Some(b'\\') => &[1, 3, 5],
        Some(b'%' | b'=') => &[2],
        _ => &[],
    };
    skipped.iter().copied()
}

/// The word in small letters, if all that it holds beyond ASCII are Western European letters in UTF-8, which NFKC leaves
/// as they are.
fn latin(word: &[u8]) -> Option<Vec<u8>> {
    let mut folded = word.to_ascii_lowercase();
    let mut at = 0;
    while at < folded.len() {
        match (folded[at], folded.get(at + 1)) {
            (0..0x80, _) => at += 1,
            (0xc3, Some(0x97 | 0xb7)) => return None,
            (0xc3, Some(letter @ 0x80..=0xbf)) => {
                if *letter <= 0x9e {
                    folded[at + 1] += 0x20;
                }
                at += 2;
            }
            _ => return None,
        }
    }
    Some(folded)
}

/// Ranges of a text, each once.
#[derive(Default)]
struct Cuts {
    ranges: [(usize, usize); 9],
    count: usize,
}

impl Cuts {
    fn add(&mut self, start: usize, end: usize) {
        if start < end && !self.ranges[..self.count].contains(&(start, end)) {
            self.ranges[self.count] = (start, end);
            self.count += 1;
        }
    }

    fn all(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        self.ranges.into_iter().take(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tokens::within;

    #[test]
    fn western_letters_are_folded_as_nfkc_folds_them() {
        for letter in '\u{80}'..='\u{ff}' {
            let word = format!("a{letter}B");
            if let Some(folded) = latin(word.as_bytes()) {
                assert_eq!(canonical(MarkerKind::Username, &word), String::from_utf8(folded).ok(), "{letter}");
            }
        }
        assert_eq!(latin("ÉTÉ".as_bytes()), Some("été".as_bytes().to_vec()));
        assert!(within(0xc3) && latin(&[b'a', 0xc3]).is_none());
    }
}
