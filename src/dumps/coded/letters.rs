//! Runs of base64's letters in a text: where they end, over the line ends at which they were folded, what they decode to,
//! and what tells at a glance that they are no text.

use crate::dumps::{coded::texts::LENGTHS, formats, places::Fold};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig},
    },
};
use std::{ops::Range, sync::LazyLock};

/// A line of at least this many goes on in the next: mails and LDIF fold so.
const FOLDED: usize = 60;
/// One that is not long begins with one of these bytes if it is a container.
const SIGNS: [u8; 9] = [0x1f, 0x28, 0xfd, 0x5d, b'B', 0x04, b'P', b'7', b'%'];
/// What is no letter, in `SEXTETS`.
const OTHER: u8 = 0xff;

/// What each letter stands for, in either alphabet.
const SEXTETS: [u8; 256] = {
    let mut sextets = [OTHER; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < letters.len() {
        sextets[letters[at] as usize] = at as u8;
        at += 1;
    }
    sextets[b'-' as usize] = 62;
    sextets[b'_' as usize] = 63;
    sextets
};

static LENIENT: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, lenient)
});

/// The letters of a run, and where they stand.
#[derive(Default)]
pub(super) struct Letters {
    pub letters: Vec<u8>,
    pub folds: Vec<Fold>,
}

/// Whether this is a letter.
pub(super) fn is_letter(byte: u8) -> bool {
    SEXTETS[usize::from(byte)] != OTHER
}

/// Whether this byte may be one between a run's letters.
pub(super) fn breaks(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b' ' | b'\\' | b'r' | b'n')
}

/// How much stands between a run's letters and those with which it goes on, and whether that is a line end; `line` of
/// them stand on its last line, which is not its first if it is `folded`.
fn joint(rest: &[u8], line: usize, folded: bool) -> Option<(usize, bool)> {
    if rest.starts_with(b"\\/") {
        return Some((1, false));
    }
    if line < FOLDED {
        return None;
    }
    let breaks: [(&[u8], bool); 4] = [(b"\r\n", true), (b"\n", true), (b"\\r\\n", false), (b"\\n", false)];
    let (length, ends) =
        breaks.iter().find_map(|(mark, ends)| rest.starts_with(mark).then_some((mark.len(), *ends)))?;
    let length = length + usize::from(rest.get(length) == Some(&b' '));
    continues(&rest[length..], folded).then_some((length, ends))
}

/// Whether a run that was broken here goes on with this line: a whole one, or a last one. What a short line goes on with
/// after its letters tells that it is the next row of a table; two hyphens end a part of a mail; and a container that
/// begins here is the next value of a list, unless the run is folded: then it is a member of the one that was begun.
fn continues(line: &[u8], folded: bool) -> bool {
    let letters = line.iter().take(FOLDED).take_while(|byte| is_letter(**byte)).count();
    let last = || {
        let behind = line.get(letters);
        behind.is_none_or(|byte| matches!(byte, b'=' | b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'\\'))
    };
    letters > 0
        && (letters == FOLDED || last())
        && !line.starts_with(b"--")
        && (folded || !(signed(line) && formats::opens(&decode(&line[..letters]))))
}

/// Whether this may begin a coded container that is not long.
pub(super) fn signed(letters: &[u8]) -> bool {
    letters.first_chunk::<4>().is_some_and(|four| {
        let [first, second, ..] = four.map(|letter| SEXTETS[usize::from(letter)]);
        four.iter().all(|letter| is_letter(*letter)) && SIGNS.contains(&(first << 2 | second >> 4))
    })
}

/// How many letters stand here.
fn count(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_letter(*byte)).unwrap_or(text.len())
}

/// Whether a run may go on behind its first letters. Most are short, and go on with nothing but a slash behind a
/// backslash.
#[inline]
pub(super) fn may_go_on(text: &[u8], first: &Range<usize>) -> bool {
    first.len() >= FOLDED || text.get(first.end) == Some(&b'\\')
}

/// Where a run ends, over folds.
pub(super) fn run_end(text: &[u8], start: usize) -> usize {
    let (mut end, mut line) = (start, start);
    loop {
        end += count(&text[end..]);
        let Some((length, ends)) = joint(&text[end..], end - line, line > start) else { return end };
        end += length;
        if ends || length > 1 {
            line = end;
        }
    }
}

impl Letters {
    /// Takes the letters of a run, before which stand so many line ends.
    pub fn collect(&mut self, text: &[u8], run: Range<usize>, lines: usize) {
        let Letters { letters, folds } = self;
        letters.clear();
        folds.clear();
        let (mut at, mut line, mut lines) = (run.start, run.start, lines);
        while at < run.end {
            folds.push(Fold { letters: letters.len() as u32, at: at as u32, lines: lines as u32 });
            let length = count(&text[at..run.end]);
            letters.extend_from_slice(&text[at..at + length]);
            at += length;
            let Some((length, ends)) = joint(&text[at..], at - line, line > run.start) else { break };
            at += length;
            lines += usize::from(ends);
            if ends || length > 1 {
                line = at;
            }
        }
    }

    /// The letters of a run alone.
    pub fn of(text: &[u8], run: Range<usize>) -> Vec<u8> {
        let mut run_letters = Letters::default();
        run_letters.collect(text, run, 0);
        run_letters.letters
    }
}

/// Whether a run may be coded text, by its first bytes or those after a separator.
pub(super) fn plausible(run: &[u8]) -> bool {
    let begins = |at: &[u8]| {
        // What is between letters counts as the last of them.
        let sextet = |byte: u8| SEXTETS[usize::from(byte)].min(63);
        let first = (sextet(at[0]) << 2) | (sextet(at[1]) >> 4);
        let second = (sextet(at[1]) << 4) | (sextet(at[2]) >> 2);
        let sane = |byte: u8| (byte >= b' ' && byte != 0x7f) || matches!(byte, b'\t' | b'\n' | b'\r');
        sane(first) && sane(second)
    };
    begins(run) || run.windows(4).any(|at| matches!(at[0], b'/' | b'-' | b'_' | b'+') && begins(&at[1..]))
}

/// Whether a text may begin with what two letters decode to: a byte, and the upper half of the next one.
static BEGINNINGS: [bool; 4096] = {
    let mut beginnings = [false; 4096];
    let mut pair = 0;
    while pair < beginnings.len() {
        let (first, second) = ((pair >> 4) as u8, pair as u8 & 0xf);
        let follows = second >> 2 == 0b10;
        beginnings[pair] = match LENGTHS[first as usize] {
            0 => first >> 6 == 0b10,
            1 => !follows && second != 1,
            _ => follows,
        };
        pair += 1;
    }
    beginnings
};

/// Whether letters may decode to text as a whole: their first six bytes may. They are eight at least.
pub(super) fn begins_text(letters: &[u8]) -> bool {
    let Some(eight) = letters.first_chunk::<8>() else { return false };
    let pair = usize::from(SEXTETS[usize::from(eight[0])] & 63) << 6 | usize::from(SEXTETS[usize::from(eight[1])] & 63);
    if !BEGINNINGS[pair] {
        return false;
    }
    let bits = eight.iter().fold(0_u64, |bits, letter| bits << 6 | u64::from(SEXTETS[usize::from(*letter)] & 63));
    let bytes = (bits << 16).to_be_bytes();
    let follows = |byte: &u8| (0x80..0xc0).contains(byte);
    // A character may have been cut.
    let mut at = bytes.iter().take(3).take_while(|byte| follows(byte)).count();
    while at < 6 {
        let length = usize::from(LENGTHS[usize::from(bytes[at])]);
        if length == 0 || !bytes[at + 1..6.min(at + length)].iter().all(follows) {
            return false;
        }
        at += length;
    }
    true
}

/// What letters decode to.
pub(super) fn decode(letters: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    decode_to(letters, &mut bytes);
    bytes
}

/// The same, in the place of what was decoded before; nothing where a byte is no letter.
pub(super) fn decode_to(letters: &[u8], bytes: &mut Vec<u8>) {
    bytes.clear();
    // A last letter alone stands for nothing.
    let letters = if letters.len() % 4 == 1 { &letters[..letters.len() - 1] } else { letters };
    let plain: Vec<u8>;
    let letters = if memchr::memchr2(b'-', b'_', letters).is_some() {
        let of = |byte: &u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
        plain = letters.iter().map(of).collect();
        &plain
    } else {
        letters
    };
    if LENIENT.decode_vec(letters, bytes).is_err() {
        bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dumps::coded::texts::whole_text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_decodes_to_text_begins_so(letters in "[A-Za-z0-9+/_-]{10,40}", text in "\\PC{0,4}[\t -~é€𝄞]{7,40}") {
            for letters in [letters, data_encoding::BASE64_NOPAD.encode(text.as_bytes())] {
                for cut in 0..letters.len() - 9 {
                    let letters = &letters.as_bytes()[cut..];
                    prop_assert!(whole_text(&decode(letters)).is_none() || begins_text(letters));
                }
            }
        }
    }

    #[test]
    fn most_words_and_numbers_do_not_begin_a_text() {
        let words =
            ["internationalization", "1850577060084", "FR7612345678901234567", "A94A8FE5CCB19BA61C4C", "Bulletins0"];
        assert!(words.iter().all(|word| !begins_text(word.as_bytes())));
        assert!(begins_text(b"YWxpY2VAZXhh") && begins_text("w6nDqcOpw6k".as_bytes()));
    }
}
