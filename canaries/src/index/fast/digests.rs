//! Digests: long runs of base64's characters, within which hexadecimal ones stand too.

use super::{Fast, Place, Stretch};
use crate::index::clue;
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
        let part = |c: &super::Classes| c.digit | c.alpha | c.dash | c.plus | c.slash | c.back;
        for view in stretch.views() {
            let parts = u128::from(part(view.after)) << 64 | u128::from(part(view.here));
            // A bit stays where as many follow as are wanted: 2, 4, 8, 16, 22.
            let mut runs = parts & parts >> 1;
            runs &= runs >> 2;
            runs &= runs >> 4;
            runs &= runs >> 8;
            runs &= runs >> (LEAST - 16);
            let mut starts = runs as u64;
            while starts != 0 {
                let start = view.at + starts.trailing_zeros() as usize;
                if start >= self.long_until {
                    let length = self.text[start..].iter().take_while(|byte| is_part(**byte)).count();
                    self.long_until = start + length;
                    self.long_run(start, start + length);
                }
                // All of this run's bits at once.
                let run = starts.trailing_zeros() + (starts >> starts.trailing_zeros()).trailing_ones();
                starts = if run >= 64 { 0 } else { starts & (u64::MAX << run) };
            }
        }
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
        let (mut characters, mut count) = ([0; LONGEST], 0);
        for byte in self.text[start..end].iter().filter(|byte| **byte != b'\\') {
            characters[count] = *byte;
            count += 1;
        }
        let padded = self.text.get(end) == Some(&b'=');
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

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'\\')
}
