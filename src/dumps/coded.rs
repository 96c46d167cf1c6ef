//! Values that a text holds in base64: whole columns of a table, LDIF's `mail::`, parts of JSON. Each that decodes to
//! text is shown beside the text it stands in. It looks at few bytes of an ordinary text, so that its speed is kept.

use crate::dumps::{Piece, formats};
use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig},
    },
};
use std::sync::LazyLock;

/// The shortest run that is looked at: eight bytes, without their padding.
const SHORTEST: usize = 11;
/// A line of at least this many goes on in the next: mails and LDIF fold so.
const FOLDED: usize = 60;
/// What is coded and holds a container is worth a note from this length on.
const CONTAINER: usize = 200;

const CLASS: [bool; 256] = {
    let mut class = [false; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    let mut at = 0;
    while at < letters.len() {
        class[letters[at] as usize] = true;
        at += 1;
    }
    class
};

static PLAIN: LazyLock<GeneralPurpose> = LazyLock::new(|| engine(&STANDARD));
static URL: LazyLock<GeneralPurpose> = LazyLock::new(|| engine(&URL_SAFE));

fn engine(alphabet: &Alphabet) -> GeneralPurpose {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, lenient)
}

/// Looks for coded values over the pieces of one text.
#[derive(Default)]
pub(super) struct Coded {
    /// Where in the text a run began that went on to the end of the last piece.
    open: Option<u64>,
    /// Coded values that are containers.
    pub containers: u64,
}

impl Coded {
    /// Shows what is coded in the reporting part of a piece.
    pub fn see(&mut self, piece: &Piece<'_>, last: bool, visit: &mut dyn FnMut(&Piece<'_>)) {
        let text = piece.text;
        let mut at = piece.report.start;
        if let Some(began) = self.open.take() {
            // A run longer than a piece: it is shown anew if this piece holds its start, else it goes on where its groups
            // of four do, or, if it was folded, near there.
            let due = match began.checked_sub(piece.base_offset) {
                Some(start) => usize::try_from(start).unwrap_or(usize::MAX),
                None => ((4 - (piece.base_offset - began) % 4) % 4) as usize,
            }
            .min(text.len());
            let end = run_end(text, due);
            let starts = if began >= piece.base_offset { due..due + 1 } else { 0..4 };
            for start in starts.map(|start| if began >= piece.base_offset { start } else { (due + start) % 4 }) {
                if text.get(start..end).is_some_and(|run| !run.is_empty() && self.show(piece, start, run, visit)) {
                    break;
                }
            }
            if end == text.len() && !last {
                self.open = Some(began);
                return;
            }
            at = at.max(end);
        }
        let (mut counted, mut line) = (0, piece.first_line);
        while let Some(start) = next_run(text, at, piece.report.end) {
            let end = run_end(text, start);
            if end == text.len() && !last {
                self.open = Some(piece.base_offset + start as u64);
            }
            if plausible(&text[start..end]) {
                line += memchr::memchr_iter(b'\n', &text[counted..start]).count() as u64;
                counted = start;
                let here = Piece { first_line: line, ..piece.clone() };
                self.show(&here, start, &text[start..end], visit);
            }
            at = end;
        }
    }

    /// Shows a run, or those of its parts that decode to text; false if there are none.
    fn show(&mut self, piece: &Piece<'_>, start: usize, run: &[u8], visit: &mut dyn FnMut(&Piece<'_>)) -> bool {
        let mut give = |start: usize, text: &[u8]| {
            visit(&Piece {
                text,
                base_offset: piece.base_offset + start as u64,
                report: 0..text.len(),
                decoded: true,
                ..piece.clone()
            });
        };
        let Some(bytes) = decode(run) else { return false };
        if run.len() >= CONTAINER && formats::opens(&bytes) {
            self.containers += 1;
            return true;
        }
        if let Some(text) = text_of(&bytes) {
            give(start, text);
            return true;
        }
        // What is not of the value may stand before it: a path, a scheme, a name.
        let (mut from, mut any) = (0, false);
        for part in run.split(|byte| matches!(byte, b'/' | b'-' | b'_' | b'+')) {
            if part.len() >= SHORTEST && part.len() < run.len() {
                let bytes = decode(part).unwrap_or_default();
                if let Some(text) = text_of(&bytes) {
                    give(start + from, text);
                    any = true;
                }
            }
            from += part.len() + 1;
        }
        any
    }
}

/// Where the next run begins that is long enough, in this range. Not every byte is looked at.
fn next_run(text: &[u8], from: usize, until: usize) -> Option<usize> {
    let mut start = from;
    while start < until {
        let probe = text.get(start..start + SHORTEST)?;
        match probe.iter().rposition(|byte| !CLASS[usize::from(*byte)]) {
            Some(other) => start += other + 1,
            None if start > from || start == 0 || !CLASS[usize::from(text[start - 1])] => return Some(start),
            // The rest of a run that the piece before has shown.
            None => start += text[start..].iter().position(|byte| !CLASS[usize::from(*byte)])?,
        }
    }
    None
}

/// Where a run ends, over folds.
fn run_end(text: &[u8], start: usize) -> usize {
    let (mut end, mut line) = (start, start);
    loop {
        end += text[end..].iter().position(|byte| !CLASS[usize::from(*byte)]).unwrap_or(text.len() - end);
        if end - line < FOLDED {
            return end;
        }
        let rest = &text[end..];
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        let Some(rest) = rest.strip_prefix(b"\n") else { return end };
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        if !rest.first().is_some_and(|byte| CLASS[usize::from(*byte)]) {
            return end;
        }
        end = text.len() - rest.len();
        line = end;
    }
}

/// Whether a run may be coded text, by its first bytes or those after a separator.
fn plausible(run: &[u8]) -> bool {
    let begins = |at: &[u8]| {
        let sextet = |byte: u8| match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        let first = (sextet(at[0]) << 2) | (sextet(at[1]) >> 4);
        let second = (sextet(at[1]) << 4) | (sextet(at[2]) >> 2);
        let sane = |byte: u8| (byte >= b' ' && byte != 0x7f) || matches!(byte, b'\t' | b'\n' | b'\r');
        sane(first) && sane(second)
    };
    // The start of a container is none of these.
    run.len() >= CONTAINER
        || begins(run)
        || run.windows(4).any(|at| matches!(at[0], b'/' | b'-' | b'_' | b'+') && begins(&at[1..]))
}

fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let joined: Vec<u8>;
    let run = if run.iter().any(u8::is_ascii_whitespace) {
        joined = run.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        &joined
    } else {
        run
    };
    // A last letter alone stands for nothing.
    let whole = if run.len() % 4 == 1 { &run[..run.len() - 1] } else { run };
    let engine = if whole.iter().any(|byte| matches!(byte, b'-' | b'_')) { &URL } else { &PLAIN };
    engine.decode(whole).ok()
}

/// The bytes, if they are text: UTF-8 without control characters, but for letters that were cut at its ends.
fn text_of(bytes: &[u8]) -> Option<&[u8]> {
    let cut = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let bytes = &bytes[cut..];
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let sane = |letter: char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
    (text.len() >= 6 && text.chars().all(sane)).then_some(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a text in pieces of this length, and where its coded form stands.
    fn shown(text: &str, length: usize) -> Vec<(u64, u64, String)> {
        let (mut coded, mut shown, mut at, mut line) = (Coded::default(), Vec::new(), 0, 1);
        while at < text.len() {
            let end = (at + length).min(text.len());
            let piece = Piece {
                path: "",
                member: None,
                text: &text.as_bytes()[at..end],
                base_offset: at as u64,
                first_line: line,
                report: 0..end - at,
                decoded: false,
            };
            coded.see(&piece, end == text.len(), &mut |found| {
                assert!(found.decoded);
                shown.push((found.base_offset, found.first_line, String::from_utf8_lossy(found.text).into_owned()));
            });
            line += piece.text.iter().filter(|byte| **byte == b'\n').count() as u64;
            at = end;
        }
        shown
    }

    #[test]
    fn coded_values_are_shown_where_they_stand() {
        let value = PLAIN.encode("alice@example.org");
        assert_eq!(shown(&format!("id;mail\n1;{value}\n"), 1_000), [(10, 2, "alice@example.org".to_owned())]);
        assert_eq!(shown(&format!("Basic/{value}"), 1_000), [(6, 1, "alice@example.org".to_owned())]);
        let folded = PLAIN.encode("word ".repeat(30) + "alice@example.org");
        let ldif = format!("mail:: {}\n {}\n", &folded[..70], &folded[70..]);
        assert!(shown(&ldif, 1_000)[0].2.ends_with("alice@example.org"));
        let accents = URL.encode("é~~?>>> zoé@example.org");
        assert!(shown(&accents, 1_000)[0].2.contains("zoé@"));
    }

    #[test]
    fn a_run_longer_than_a_piece_goes_on_in_the_next() {
        let coded = PLAIN.encode("0123456789".repeat(50) + "alice@example.org");
        for length in [97, 98, 99, 100] {
            let text: String = shown(&format!("x {coded} y"), length).into_iter().map(|(_, _, text)| text).collect();
            assert!(text.contains("alice"), "{length}: {text}");
        }
    }

    #[test]
    fn words_paths_and_digests_are_not_coded() {
        let text = "internationalization /usr/share/documentation/package 5f4dcc3b5aa765d61d8327deb882cf99 \
                    A94A8FE5CCB19BA61C4C0873D391E987982FBBD3 some-long-hyphenated-word 550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(shown(text, 1_000), []);
    }

    #[test]
    fn containers_that_are_coded_are_counted() {
        let packed = PLAIN.encode([&[0x1f, 0x8b, 8][..], &[7; 300]].concat());
        let mut coded = Coded::default();
        let piece = Piece {
            path: "",
            member: None,
            text: packed.as_bytes(),
            base_offset: 0,
            first_line: 1,
            report: 0..packed.len(),
            decoded: false,
        };
        coded.see(&piece, true, &mut |_| {});
        assert_eq!(coded.containers, 1);
    }
}
