//! What an index holds in outline: which lengths and kinds occur at all, so that nothing else is looked for.

use super::clue::AFTER;

/// The outline of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gates {
    /// Lengths of words, and of parts of passwords; the last bit stands for all that are longer.
    pub words: u128,
    /// Lengths of employee and badge numbers without separators.
    pub numbers: u64,
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
    pub const LENGTH: usize = 30;

    #[inline(always)]
    pub fn word(&self, length: usize) -> bool {
        self.words >> length.min(127) & 1 == 1
    }

    #[inline(always)]
    pub fn number(&self, length: usize) -> bool {
        length < 64 && self.numbers >> length & 1 == 1
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
        Gates { words: 0, numbers: 0, passwords: false, parts: false, wordless: false, ..self }
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
        bytes[..16].copy_from_slice(&self.words.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.numbers.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.phones.to_le_bytes());
        bytes[28] = self.signs;
        bytes[29] = self.flags().iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(**flag));
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Gates::LENGTH]) -> Gates {
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().rev().fold(0_u128, |number, byte| number << 8 | u128::from(*byte))
        };
        let mut gates = Gates {
            words: number(0..16),
            numbers: number(16..24) as u64,
            phones: number(24..28) as u32,
            signs: bytes[28],
            ..Gates::default()
        };
        gates.flags().into_iter().enumerate().for_each(|(bit, flag)| *flag = bytes[29] >> bit & 1 == 1);
        gates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_as_written() {
        let mut gates =
            Gates { words: 1 << 127 | 5, numbers: 1 << 63, phones: 1 << 11, wide: true, ..Gates::default() };
        gates.signs = 2;
        assert_eq!(Gates::from_bytes(&gates.to_bytes()), gates);
        assert!(gates.behind(1) && !gates.behind(0));
        assert!(gates.word(200) && gates.word(2) && !gates.word(3) && gates.number(63) && !gates.number(64));
    }
}
