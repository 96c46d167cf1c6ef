//! What a text writes in another way: characters of HTML, URLs, JSON and quoted-printable as escapes, and lines that were
//! broken. What stands around such places is shown once more as it reads, with the place of each byte in the text. It
//! looks at few bytes of a text that has none.

use crate::dumps::{
    Piece,
    places::{Fold, Places},
};
use canaries::index::{Escaped, Flavour};
use std::ops::Range;

/// How far around an escape a text is shown as it reads, within its line.
const REACH: usize = 256;
/// How long a line is that was broken because it was too long.
const BROKEN: Range<usize> = 56..81;

/// A place where the text reads otherwise than it is written.
struct Mark {
    at: usize,
    length: usize,
    bytes: Escaped,
}

/// Shows what the reporting part of a piece reads as.
pub(super) fn show(piece: &Piece<'_>, visit: &mut dyn FnMut(&Piece<'_>)) {
    for flavour in Flavour::ALL {
        show_around(piece, escapes(piece.text, flavour), visit);
    }
    show_around(piece, broken_lines(piece.text), visit);
}

/// The escapes of a flavour.
fn escapes(text: &[u8], flavour: Flavour) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut next = 0;
    for at in memchr::memchr_iter(flavour.introducer(), text) {
        // Other backslashes are those of quoting, which is undone where fields are read.
        let counts = flavour != Flavour::Backslash || matches!(text.get(at + 1), Some(b'u' | b'x'));
        if at < next || !counts {
            continue;
        }
        if let Some((bytes, length)) = flavour.read(&text[at..]) {
            next = at + length;
            marks.push(Mark { at, length, bytes });
        }
    }
    marks
}

/// The ends of lines that go on in the next: those that are as long as lines are where they are broken, with a letter,
/// digit or mark of an address on either side, and perhaps a blank between.
fn broken_lines(text: &[u8]) -> Vec<Mark> {
    let joins =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.' | b'_' | b'-' | b'+') || *byte >= 0x80;
    let (mut marks, mut start) = (Vec::new(), 0);
    for end in memchr::memchr_iter(b'\n', text) {
        let line = &text[start..end];
        start = end + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !BROKEN.contains(&line.len()) || !line.last().is_some_and(joins) {
            continue;
        }
        let behind = start + usize::from(text.get(start) == Some(&b' '));
        if text.get(behind).is_some_and(joins) {
            let at = start - 1 - usize::from(text[..end].ends_with(b"\r"));
            marks.push(Mark { at, length: behind - at, bytes: Escaped::default() });
        }
    }
    marks
}

fn show_around(piece: &Piece<'_>, marks: Vec<Mark>, visit: &mut dyn FnMut(&Piece<'_>)) {
    let (mut rest, mut lines, mut counted) = (marks.as_slice(), 0, 0);
    while let Some(first) = rest.first() {
        // Those that are near each other are shown together.
        let near = rest.windows(2).take_while(|two| two[1].at - (two[0].at + two[0].length) <= REACH).count() + 1;
        let (group, behind) = rest.split_at(near);
        rest = behind;
        let last = &group[near - 1];
        let window = before(piece.text, first.at)..after(piece.text, last.at + last.length);
        if window.end <= piece.report.start || window.start >= piece.report.end {
            continue;
        }
        // A window may begin within the one before it.
        lines += line_ends(&piece.text[counted..window.start.max(counted)]);
        counted = counted.max(window.start);
        let within = line_ends(&piece.text[window.start..counted]);
        let (text, folds) = read(piece.text, window, group, lines - within);
        let places = Places { base64: false, shift: 0, first: 0, folds: &folds };
        let report = places.before(piece.report.start, text.len())..places.before(piece.report.end, text.len());
        if !report.is_empty() {
            visit(&Piece { text: &text, report, coded: Some(places), ..piece.clone() });
        }
    }
}

/// Where the line begins, or as far before this place as is shown.
fn before(text: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(REACH);
    memchr::memrchr(b'\n', &text[from..at]).map_or(from, |length| from + length + 1)
}

fn after(text: &[u8], at: usize) -> usize {
    let to = (at + REACH).min(text.len());
    memchr::memchr(b'\n', &text[at..to]).map_or(to, |length| at + length)
}

/// A window of the text as it reads, and where what of it stands; so many lines end before it.
fn read(text: &[u8], window: Range<usize>, marks: &[Mark], lines: usize) -> (Vec<u8>, Vec<Fold>) {
    let (mut read, mut folds, mut from) = (Vec::with_capacity(window.len()), Vec::new(), window.start);
    let mut add = |at: usize, bytes: &[u8]| {
        let mut at = at;
        // Each line is a fold of its own.
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            folds.push(Fold { letters: read.len() as u32, at: at as u32, lines: 0 });
            read.extend_from_slice(line);
            at += line.len();
        }
    };
    for mark in marks {
        add(from, &text[from..mark.at]);
        add(mark.at, &mark.bytes);
        from = mark.at + mark.length;
    }
    add(from, &text[from..window.end]);
    let (mut lines, mut counted) = (lines, window.start);
    for fold in &mut folds {
        lines += line_ends(&text[counted..(fold.at as usize).max(counted)]);
        counted = counted.max(fold.at as usize);
        fold.lines = lines as u32;
    }
    (read, folds)
}

fn line_ends(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What is shown of a text, cut into pieces of this length: where this word stands, and on which line.
    fn places_of(word: &str, text: &str, length: usize, around: usize) -> BTreeSet<(u64, u64)> {
        let (text, mut places, mut from) = (text.as_bytes(), BTreeSet::new(), 0);
        while from < text.len() {
            let until = (from + length).min(text.len());
            let base = from.saturating_sub(around);
            let piece = Piece {
                path: "",
                member: None,
                text: &text[base..(until + around).min(text.len())],
                base_offset: base as u64,
                first_line: 1 + line_ends(&text[..base]) as u64,
                report: from - base..until - base,
                coded: None,
            };
            show(&piece, &mut |read| {
                let found = memchr::memmem::find_iter(read.text, word).filter(|at| read.report.contains(at));
                places.extend(found.map(|at| read.place(at as u64, 1)));
            });
            from = until;
        }
        places
    }

    #[test]
    fn escapes_read_as_what_they_stand_for_at_their_place() {
        let broken = format!("{}amartin\n7 and", "x".repeat(60) + " ");
        let folded = format!("a: b\ndn: {} amar\n tin7\n", "x".repeat(60));
        for (text, word, place) in [
            ("x\nname=j%C3%A9r%C3%B4me&y", "jérôme", (7, 2)),
            ("1;EMP=2D00123\nx", "EMP-00123", (2, 1)),
            ("a\nb;amar=\r\ntin7;c", "amartin7", (4, 2)),
            ("a=\nb=\nc amartin=37", "amartin7", (8, 3)),
            ("{\"v\":\"zo\\u00e9\"}", "zoé", (6, 1)),
            ("<td>x&amp; &#122;o&eacute;</td>", "zoé", (11, 1)),
            (broken.as_str(), "amartin7", (61, 1)),
            (folded.as_str(), "amartin7", (70, 2)),
        ] {
            assert_eq!(places_of(word, text, text.len(), 0).into_iter().collect::<Vec<_>>(), [place], "{text}");
        }
        assert!(places_of("", "id;name\n1;Martin\nAT&T 100% a=b \\n\\' C:\\dir\n", 100, 0).is_empty());
    }

    #[test]
    fn a_text_that_is_cut_anywhere_reads_the_same() {
        let text: String =
            (0..300).map(|number| format!("row {number};j%C3%A9r&#244;me;EMP=2D{number:05} =\r\n")).collect();
        for word in ["jér", "rôme", "EMP-0"] {
            let whole = places_of(word, &text, text.len(), 0);
            assert_eq!(whole.len(), 300);
            for length in [997, 1_000, 1_001] {
                assert_eq!(places_of(word, &text, length, 600), whole, "{word} {length}");
            }
        }
    }
}
