//! Escapes: they may stand for an at-sign, may end right before a number, and may spell a part of a password, which
//! then gives no clue: there the fields around them are tried.

use super::{Fast, Place, Stretch};
use crate::index::{addresses::WRITTEN, escapes::Flavour, fields, tokens::within};

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_escapes(&mut self, stretch: &Stretch<'_>) {
        let intros = stretch.masks(|n| stretch.classes.intro[n + 1]);
        self.each(stretch, &intros, |fast, place| fast.escape(stretch.place(place)));
    }

    #[inline(never)]
    fn escape(&mut self, at: usize) {
        let text = &self.text[at..];
        if self.gates.signs != 0 {
            for (which, (written, _)) in WRITTEN.iter().enumerate() {
                if text.starts_with(written) {
                    self.domain(at + written.len(), Place::Written { at, which });
                }
            }
        }
        let hexadecimal = |range: std::ops::Range<usize>| {
            text.get(range).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match text {
            [b'%' | b'=', ..] if hexadecimal(1..3) => self.number_behind_escape(at + 3),
            [b'\\', b'u', ..] if hexadecimal(2..6) => self.number_behind_escape(at + 6),
            [b'\\', b'n' | b't' | b'r', ..] => self.number_behind_escape(at + 2),
            _ => {}
        }
        if self.gates.passwords && self.spells_word(at) {
            let from = at.saturating_sub(fields::LONGEST).max(self.fields_until);
            fields::find_around(&mut self.search, from, at);
            self.fields_until = at + 1;
        }
    }

    /// Whether the escape here stands for a byte of a word, or for nothing between two of them.
    fn spells_word(&self, at: usize) -> bool {
        let text = &self.text[at..];
        let Some(flavour) = Flavour::ALL.into_iter().find(|flavour| flavour.introducer() == text[0]) else {
            return false;
        };
        let Some((bytes, length)) = flavour.read(&text[..text.len().min(10)]) else { return false };
        if bytes.is_empty() {
            return at.checked_sub(1).is_some_and(|before| within(self.text[before]))
                && text.get(length).is_some_and(|byte| within(*byte));
        }
        bytes.iter().any(|byte| within(*byte) && (byte.is_ascii() || self.gates.wide))
    }
}
