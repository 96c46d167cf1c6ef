//! What an index holds in outline: which lengths and kinds occur at all, so that nothing else is looked for.

use super::clue::AFTER;

/// What a word is made of, as far as it tells words apart at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// Digits alone.
    Digits,
    /// Letters and perhaps digits, of ASCII.
    Letters,
    /// Digits and marks: `.`, `-`, `_`.
    MarkedDigits,
    /// Letters, marks and perhaps digits.
    Marked,
    /// Anything with bytes beyond ASCII.
    Wide,
}

impl Make {
    pub const COUNT: usize = 5;

    #[inline]
    pub fn of(word: &[u8]) -> Make {
        let has = |is: fn(&u8) -> bool| word.iter().any(is);
        if !word.is_ascii() {
            return Make::Wide;
        }
        Make::from(has(u8::is_ascii_alphabetic), has(|byte| !byte.is_ascii_alphanumeric()))
    }

    /// That of a word of ASCII.
    #[inline(always)]
    pub fn from(letters: bool, marks: bool) -> Make {
        [Make::Digits, Make::Letters, Make::MarkedDigits, Make::Marked][usize::from(letters) | usize::from(marks) << 1]
    }
}

/// The outline of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gates {
    /// Lengths of words, and of parts of passwords, by what they are made of; the last bit stands for all that are longer.
    pub words: [u128; Make::COUNT],
    /// Lengths of employee and badge numbers without separators: of digits alone, and with letters.
    pub numbers: [u64; 2],
    /// Lengths of phones without their plus.
    pub phones: u32,
    /// How much of a domain clues to addresses take: places in `AFTER`.
    pub signs: u8,
    pub nirs: bool,
    pub ibans: bool,
    pub digests: bool,
    pub passwords: bool,
    /// Passwords that hold delimiters.
    pub parts: bool,
    /// Passwords that hold no byte of a word: no clue leads to them.
    pub wordless: bool,
    /// Passwords that hold bytes beyond ASCII.
    pub wide: bool,
    /// Names and links that do.
    pub wide_names: bool,
}

impl Gates {
    pub const LENGTH: usize = 16 * Make::COUNT + 22;

    #[inline(always)]
    pub fn word(&self, make: Make, length: usize) -> bool {
        self.words[make as usize] >> length.min(127) & 1 == 1
    }

    /// The same, where `last` stands for all lengths above it.
    pub fn has_word(&self, make: Make, length: usize, last: usize) -> bool {
        if length < last { self.word(make, length) } else { self.words[make as usize] >> last != 0 }
    }

    /// Whether there are words at all.
    pub fn has_words(&self) -> bool {
        self.words != [0; Make::COUNT]
    }

    pub fn has_words_below(&self, length: usize) -> bool {
        self.words.iter().any(|lengths| lengths & ((1 << length) - 1) != 0)
    }

    #[inline(always)]
    pub fn number(&self, letters: bool, length: usize) -> bool {
        length < 64 && self.numbers[usize::from(letters)] >> length & 1 == 1
    }

    pub fn has_numbers(&self) -> bool {
        self.numbers != [0; 2]
    }

    pub fn phone(&self, length: usize) -> bool {
        length < 32 && self.phones >> length & 1 == 1
    }

    /// Whether clues to addresses take so much of a domain, a place in `AFTER`.
    #[inline(always)]
    pub fn behind(&self, place: usize) -> bool {
        debug_assert!(place < AFTER.len());
        self.signs >> place & 1 == 1
    }

    /// Without words, numbers that are words, and parts of passwords.
    pub fn without_words(self) -> Gates {
        Gates { words: [0; Make::COUNT], numbers: [0; 2], passwords: false, parts: false, wordless: false, ..self }
    }

    /// With nothing but addresses.
    pub fn addresses_only(self) -> Gates {
        Gates { signs: self.signs, ..Gates::default() }
    }

    fn flags(&mut self) -> [&mut bool; 8] {
        [
            &mut self.nirs,
            &mut self.ibans,
            &mut self.digests,
            &mut self.passwords,
            &mut self.parts,
            &mut self.wordless,
            &mut self.wide,
            &mut self.wide_names,
        ]
    }

    pub fn to_bytes(mut self) -> [u8; Gates::LENGTH] {
        let mut bytes = [0; Gates::LENGTH];
        let (words, rest) = bytes.split_at_mut(16 * Make::COUNT);
        words.as_chunks_mut().0.iter_mut().zip(self.words).for_each(|(to, word)| *to = word.to_le_bytes());
        rest[..8].copy_from_slice(&self.numbers[0].to_le_bytes());
        rest[8..16].copy_from_slice(&self.numbers[1].to_le_bytes());
        rest[16..20].copy_from_slice(&self.phones.to_le_bytes());
        rest[20] = self.signs;
        rest[21] = self.flags().iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(**flag));
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Gates::LENGTH]) -> Gates {
        let (words, rest) = bytes.split_at(16 * Make::COUNT);
        let number = |range: std::ops::Range<usize>| {
            rest[range].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let words = words.as_chunks().0;
        let mut gates = Gates {
            words: std::array::from_fn(|make| u128::from_le_bytes(words[make])),
            numbers: [number(0..8), number(8..16)],
            phones: number(16..20) as u32,
            signs: rest[20],
            ..Gates::default()
        };
        gates.flags().into_iter().enumerate().for_each(|(bit, flag)| *flag = rest[21] >> bit & 1 == 1);
        gates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_as_written() {
        let mut gates = Gates {
            words: [1, 2, 3, 1 << 127 | 5, 7],
            numbers: [1, 1 << 63],
            phones: 1 << 11,
            wide: true,
            ..Gates::default()
        };
        gates.signs = 2;
        assert_eq!(Gates::from_bytes(&gates.to_bytes()), gates);
        assert!(gates.behind(1) && !gates.behind(0));
        let marked = |length| gates.word(Make::Marked, length);
        assert!(marked(200) && marked(2) && !marked(3) && !gates.word(Make::Digits, 2));
        assert!(gates.number(true, 63) && !gates.number(false, 63) && !gates.number(true, 64));
    }

    #[test]
    fn makes_are_told_apart() {
        let makes = ["1234", "ab12", "12-4", "j.d", "é1"].map(|word| Make::of(word.as_bytes()));
        assert_eq!(makes, [Make::Digits, Make::Letters, Make::MarkedDigits, Make::Marked, Make::Wide]);
    }
}
