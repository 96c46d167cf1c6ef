//! Digests: long runs of base64's characters, within which hexadecimal ones stand too.

use super::{Fast, Place, Stretch};
use crate::index::{
    clue,
    simd::{self, BLOCKS, behind},
};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

/// The shortest run that is looked at: sixteen bytes in base64.
const LEAST: usize = 22;
/// The longest run that is tried as base64.
const LONGEST: usize = 200;

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_digests(&mut self, stretch: &Stretch<'_>) {
        if !self.gates.digests {
            return;
        }
        let (c, blocks) = (stretch.classes, stretch.blocks.min(BLOCKS));
        let mut runs = c.base64;
        // A bit stays where as many follow as are wanted.
        for by in [1, 2, 4, 8, LEAST as u32 - 16] {
            for block in 0..blocks {
                runs[block + 1] &= runs[block + 1] >> by | runs[block + 2] << (64 - by);
            }
            runs[blocks + 1] &= runs[blocks + 1] >> by;
        }
        let starts = stretch.masks(|n| runs[n + 1] & !behind(&c.base64, n, 1));
        self.each(stretch, &starts, |fast, place| {
            let (text, at) = (fast.text, stretch.place(place));
            let seen = simd::from(&c.base64, place).trailing_ones() as usize;
            let beyond = if seen < 64 { 0 } else { text[at + 64..].iter().take_while(|byte| is_part(**byte)).count() };
            let end = at + seen + beyond;
            // Most runs are no digest's length: names, numbers, paths.
            let escaped = simd::from(&c.back, place).trailing_zeros() < seen as u32;
            if end - at < 32 && !escaped && text.get(end) != Some(&b'=') {
                if is_digest(&text[at..end]) {
                    fast.base64(at, end);
                }
                return;
            }
            fast.long_run(at, end);
        });
    }

    fn long_run(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at + 32 <= end {
            // If the last of thirty-two is no digit, no run of so many begins before it.
            if !self.text[at + 31].is_ascii_hexdigit() {
                at += 32;
                continue;
            }
            let here = self.text[start..at + 31].iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let from = at + 31 - here;
            let to = at + 31 + self.text[at + 31..end].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            if to - from >= 32 {
                self.hexadecimal(from, to);
            }
            at = to + 1;
        }
        if end - start <= LONGEST {
            self.base64(start, end);
        }
    }

    /// Asks for the digests at both ends of a run of hexadecimal digits.
    fn hexadecimal(&mut self, start: usize, end: usize) {
        let ends = [32, 40, 64, 128].into_iter().filter(|length| start + length < end).map(|length| end - length);
        for from in std::iter::once(start).chain(ends) {
            let mut bytes = [0; 15];
            if HEXLOWER_PERMISSIVE.decode_mut(&self.text[from..from + 30], &mut bytes).is_ok() {
                self.ask_digest(clue::digest(&bytes), Place::Hexadecimal { start, end });
            }
        }
    }

    fn base64(&mut self, start: usize, end: usize) {
        let padded = self.text.get(end) == Some(&b'=');
        let bytes = &self.text[start..end];
        if !padded && !is_digest(bytes) && memchr::memchr(b'\\', bytes).is_none() {
            return;
        }
        let (mut characters, mut count) = ([0; LONGEST], 0);
        for byte in self.text[start..end].iter().filter(|byte| **byte != b'\\') {
            characters[count] = *byte;
            count += 1;
        }
        for length in [22, 27, 43, 86] {
            if count != length && !(padded && count > length) {
                continue;
            }
            let first = &characters[count - length..count - length + 20];
            let mut bytes = [0; 15];
            if BASE64_NOPAD.decode_mut(first, &mut bytes).is_ok()
                || BASE64URL_NOPAD.decode_mut(first, &mut bytes).is_ok()
            {
                self.ask_digest(clue::digest(&bytes), Place::Base64 { start, end });
            }
        }
    }
}

/// Whether these characters of base64 are as many as a digest has, without bits to spare in the last one.
#[inline(always)]
fn is_digest(characters: &[u8]) -> bool {
    let spare = match characters.len() {
        22 | 86 => 0xf,
        27 | 43 => 3,
        _ => return false,
    };
    sextet(characters[characters.len() - 1]) & spare == 0
}

/// What a character of base64 stands for.
fn sextet(character: u8) -> u8 {
    match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'\\')
}
