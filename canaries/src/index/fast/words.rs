//! Words: each run of a word's bytes is asked for once in small letters, whatever it may be; a run with marks, with
//! bytes beyond ASCII or behind an escape also in the cuts in which the reference tries it.

use super::{Bits, Fast, Place, STRETCH, Stretch};
use crate::{
    index::{
        canonical::{canonical, separator},
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
    before: (usize, usize),
}

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_words(&mut self, stretch: &Stretch<'_>, bits: &mut Bits) {
        if self.gates.words == 0 {
            return;
        }
        // Marks, bytes beyond ASCII, and first bytes behind what begins an escape.
        let mut special = [0; STRETCH / 64 + 1];
        bits.clear();
        let mut inside = u64::from(self.word.inside);
        for (number, view) in stretch.views().enumerate() {
            let c = view.here;
            let odd = c.dot | c.dash | c.high;
            let word = c.digit | c.alpha | odd;
            special[number] = odd | word & (c.intro << 1 | view.before.intro >> 63);
            bits.add(number, word ^ (word << 1 | inside));
            inside = word >> 63;
        }
        let mut edges = bits.places();
        if self.word.inside
            && let Some((end, rest)) = edges.split_first()
        {
            edges = rest;
            self.word.inside = false;
            // What holds it was begun in another stretch: it is looked at in full.
            self.word(self.word.start, stretch.at + usize::from(*end));
        }
        let (pairs, open) = edges.as_chunks::<2>();
        let (mut plain, mut plain_count) = ([(0_u16, 0_u16); STRETCH / 2 + 1], 0);
        for &[start, end] in pairs {
            let length = usize::from(end - start);
            let (place, bit) = (usize::from(start / 64), start % 64);
            let window = (u128::from(special[place]) | u128::from(special[place + 1]) << 64) >> bit;
            let odd = window as u64 & (u64::MAX >> (64 - length.clamp(1, 64))) != 0 || length > 64;
            if odd {
                self.special_word(stretch.at + usize::from(start), stretch.at + usize::from(end));
            }
            plain[plain_count] = (start, end);
            plain_count += usize::from(!odd & self.lengths[length.min(127)]);
            self.follow(stretch.at + usize::from(start), stretch.at + usize::from(end));
        }
        for &(start, end) in &plain[..plain_count] {
            self.plain_word(stretch.at + usize::from(start), stretch.at + usize::from(end));
        }
        if let [start] = *open {
            (self.word.inside, self.word.start) = (true, stretch.at + usize::from(start));
        }
    }

    /// Closes a run that goes on to the end of the text.
    pub(super) fn end_words(&mut self) {
        if self.word.inside {
            self.word.inside = false;
            self.word(self.word.start, self.text.len());
        }
    }

    /// A run that went over a border, or to the end.
    fn word(&mut self, start: usize, end: usize) {
        self.special_word(start, end);
        self.follow(start, end);
    }

    /// A run of letters and digits of ASCII.
    #[inline(always)]
    fn plain_word(&mut self, start: usize, end: usize) {
        let clue = match self.text[start..].first_chunk() {
            Some(bytes) if end - start <= 15 => clue::short_word(bytes, end - start),
            _ => clue::word(&self.text[start..end]),
        };
        self.ask_word(clue, Place::Word { start, end });
    }

    /// Looks whether this run and the one before it are a number together.
    #[inline(always)]
    fn follow(&mut self, start: usize, end: usize) {
        let (first, last) = std::mem::replace(&mut self.word.before, (start, end));
        if last + 1 == start && first < last && start - first <= 8 && end - start <= 16 && self.gates.numbers != 0 {
            self.join(first, start, end);
        }
    }

    /// A number written as two words: `EMP 00123`.
    fn join(&mut self, first: usize, start: usize, end: usize) {
        if joins(self.text, first, start, end) {
            self.number_word(first, end, Place::Joined { start: first, end });
        }
    }

    /// Asks for the employee or badge number that these bytes may be.
    fn number_word(&mut self, start: usize, end: usize, place: Place) {
        let bytes = &self.text[start..end];
        if !bytes.is_ascii() {
            let strange = |at: &usize| !bytes[*at].is_ascii() && separator(&bytes[*at..]).is_none();
            // The later bytes of a separator are strange by themselves, so only the first byte beyond ASCII tells.
            return match (0..bytes.len()).find(|at| !bytes[*at].is_ascii()) {
                Some(first) if strange(&first) => {}
                _ => self.look(place),
            };
        }
        let (mut compact, mut length) = ([0; 40], 0);
        for byte in bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).take(40) {
            compact[length] = *byte;
            length += 1;
        }
        if self.gates.number(length) && compact[..length].iter().any(u8::is_ascii_digit) {
            self.ask_word(clue::word(&compact[..length]), place);
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
            let ascii = word.is_ascii();
            if self.gates.word(to - from) && (ascii || self.gates.wide || self.gates.wide_names) {
                self.ask_word(clue::word(word), place);
            }
            if !ascii {
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
            self.ask_word(clue::short_word(bytes, length), place);
        }
        if dot < length && self.lengths[dot] {
            self.ask_word(clue::short_word(bytes, dot), place);
        }
        if digits > 0 && self.gates.numbers != 0 && (others > 0 || dot < length) {
            self.number_word(start, end, place);
        }
        true
    }

    /// A word with letters beyond ASCII, as the user name that it may be.
    fn beyond_ascii(&mut self, word: &[u8], place: Place) {
        if !tokens::LENGTHS.contains(&word.len()) || (!self.gates.wide_names && stays(word)) {
            return;
        }
        if let Some(folded) = latin(word) {
            if folded != word && self.gates.word(folded.len()) {
                self.ask_word(clue::word(&folded), place);
            }
        } else if let Some(name) = std::str::from_utf8(word).ok().and_then(|word| canonical(MarkerKind::Username, word))
            && self.gates.word(name.len())
        {
            self.ask_word(clue::word(name.as_bytes()), place);
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

/// How many bytes of a run may belong to an escape that begins right before it.
fn behind_escape(text: &[u8], start: usize) -> impl Iterator<Item = usize> + use<> {
    let skipped: &[usize] = match start.checked_sub(1).map(|before| text[before]) {
        Some(b'\\') => &[1, 3, 5],
        Some(b'%' | b'=') => &[2],
        _ => &[],
    };
    skipped.iter().copied()
}

/// Whether a word holds a character beyond ASCII that is one in NFKC too: no name within ASCII is written so.
fn stays(word: &[u8]) -> bool {
    word.windows(3).any(|bytes| matches!(bytes, [0xe2, 0x80, 0x90..=0x9f] | [0xe2, 0x82, 0xac]))
        || word.windows(2).any(|bytes| matches!(bytes, [0xc3, 0x80..=0xbf] | [0xc2, 0xa7 | 0xab | 0xb0 | 0xbb]))
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
        for character in (0x80..0x3000).filter_map(char::from_u32) {
            let word = format!("ab{character}c1");
            let name = canonical(MarkerKind::Username, &word).expect("it is not empty");
            assert!(!stays(word.as_bytes()) || !name.is_ascii(), "{character}");
        }
        assert_eq!(latin("ÉTÉ".as_bytes()), Some("été".as_bytes().to_vec()));
        assert!(within(0xc3) && latin(&[b'a', 0xc3]).is_none());
    }
}
