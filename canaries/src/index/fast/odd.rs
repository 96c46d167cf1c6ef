//! Odd words: with letters beyond ASCII, with marks of several kinds or at their ends, behind an escape. They are asked for
//! in all the cuts in which the reference tries them.

use super::{Fast, Place, Stretch, words::run_around};
use crate::{
    index::{
        canonical::{canonical, separator},
        clue,
        gates::Make,
        simd::{self, Mask},
        tokens,
    },
    marker::MarkerKind,
};

impl Fast<'_> {
    /// A word that ends here, and is neither plain nor simply marked.
    #[inline(always)]
    pub(super) fn odd_word(&mut self, stretch: &Stretch<'_>, place: u16) {
        let (c, text, end) = (stretch.classes, self.text, stretch.place(place));
        let length = simd::before(&c.word, place).leading_ones();
        if length == 64 {
            let (start, _) = run_around(text, end - 1);
            return self.special_word(start, end);
        }
        let start = end - length as usize;
        if !self.gates.wide && !self.gates.wide_names && behind_escape(text, start).next().is_none() {
            let within = |mask: &Mask| simd::before(mask, place) >> (64 - length);
            let high = start + within(&c.high).trailing_zeros() as usize;
            let western = high < end && matches!(text[high..end], [0xc3, 0x80..=0xbf, ..]);
            // A letter that stays what it is: such a word can be nothing within ASCII, and what stands before its first
            // dot is a plain word.
            if western && within(&c.dash) == 0 && text[start] != b'.' {
                return;
            }
        }
        self.special_word(start, end);
    }

    /// Asks for the employee or badge number that these bytes may be.
    pub(super) fn number_word(&mut self, start: usize, end: usize, place: Place) {
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
        let compact = &compact[..length];
        let letters = compact.iter().any(u8::is_ascii_alphabetic);
        if self.gates.number(letters, length) && compact.iter().any(u8::is_ascii_digit) {
            self.ask_word(clue::word(compact), place);
        }
    }

    /// A run that is tried in several cuts.
    #[inline(never)]
    pub(super) fn special_word(&mut self, start: usize, end: usize) {
        let place = Place::Word { start };
        let text = self.text;
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
            let make = Make::of(word);
            if self.gates.word(make, to - from) {
                self.ask_word(clue::word(word), place);
            }
            if make == Make::Wide {
                self.beyond_ascii(word, place);
            }
            let numbered = || word.len() <= 40 && word.iter().any(u8::is_ascii_digit);
            if self.gates.has_numbers() && word.iter().any(|byte| !byte.is_ascii_alphanumeric()) && numbered() {
                self.number_word(from, to, place);
            }
        }
    }

    /// A word with letters beyond ASCII, as the user name that it may be.
    fn beyond_ascii(&mut self, word: &[u8], place: Place) {
        if !tokens::LENGTHS.contains(&word.len()) || (!self.gates.wide_names && stays(word)) {
            return;
        }
        if let Some(folded) = latin(word) {
            if folded != word && self.gates.word(Make::of(&folded), folded.len()) {
                self.ask_word(clue::word(&folded), place);
            }
        } else if let Some(name) = std::str::from_utf8(word).ok().and_then(|word| canonical(MarkerKind::Username, word))
            && self.gates.word(Make::of(name.as_bytes()), name.len())
        {
            self.ask_word(clue::word(name.as_bytes()), place);
        }
    }
}

/// How many bytes of a run may belong to an escape that begins right before it.
pub(super) fn behind_escape(text: &[u8], start: usize) -> impl Iterator<Item = usize> + use<> {
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
