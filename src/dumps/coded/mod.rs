//! Values that a text holds in base64: whole columns of a table, LDIF's `mail::`, parts of JSON, attachments. What they
//! decode to is shown with the place of each byte's coded form; those that are containers are handed on, to be opened.
//! What is found depends on nothing but what stands around it, so that a text cut anywhere shows the same.

use crate::dumps::{
    Piece, formats,
    places::{Fold, Places},
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig},
    },
};
use std::{ops::Range, sync::LazyLock};

/// The shortest run that is looked at: seven bytes, without their padding.
const SHORTEST: usize = 10;
/// A line of at least this many goes on in the next: mails and LDIF fold so.
const FOLDED: usize = 60;
/// From this length on a run is looked at whatever its first bytes decode to.
const LONG: usize = 200;
/// The shortest text that is shown.
const SHORTEST_TEXT: usize = 6;
/// The shortest coded container, in letters. One that is not long begins with one of these bytes.
const SHORTEST_CONTAINER: usize = 32;
const SIGNS: [u8; 9] = [0x1f, 0x28, 0xfd, 0x5d, b'B', 0x04, b'P', b'7', b'%'];
/// How much of a coded value is looked at to tell whether it is a container, in letters.
const HEAD: usize = 4 << 10;
/// The longest coded container, in letters.
pub(super) const LONGEST: usize = 32 << 20;

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

static LENIENT: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, lenient)
});

/// A coded value that is a container.
pub(super) struct Container {
    /// Where it stands in the text.
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// Whether it is all there.
    pub whole: bool,
}

/// The letters of a run, and where they stand.
struct Run {
    letters: Vec<u8>,
    folds: Vec<Fold>,
}

/// Takes a text, the letter with which its first byte begins, and which of the decoded bytes that is.
type Give<'a> = dyn FnMut(&[u8], usize, usize) + 'a;

/// Shows what is coded in the reporting part of a piece.
pub(super) fn show(piece: &Piece<'_>, visit: &mut dyn FnMut(&Piece<'_>)) {
    let text = piece.text;
    let (mut at, mut counted, mut lines) = (0, 0, 0);
    while let Some(start) = next_run(text, at, piece.report.end) {
        let end = run_end(text, start);
        at = end;
        // So short, only its padding tells it from a word.
        let word = end - start == SHORTEST && !text[end..].starts_with(b"==");
        if end <= piece.report.start || word || !plausible(&text[start..end]) {
            continue;
        }
        lines += line_ends(&text[counted..start]);
        counted = start;
        let run = collect(text, start..end, lines);
        let mut give = |text: &[u8], shift: usize, first: usize| {
            let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let places = Places { base64: true, shift: narrow(shift), first: narrow(first), folds: &run.folds };
            let report = places.before(piece.report.start, text.len())..places.before(piece.report.end, text.len());
            if !report.is_empty() {
                visit(&Piece { text, report, coded: Some(places), ..piece.clone() });
            }
        };
        if run.letters.len() >= LONG || run.folds.len() > 1 {
            show_long(&run.letters, &mut give);
        } else {
            show_short(&run.letters, &mut give);
        }
    }
}

/// Where a long run begins is not sure: a path may stand before it, or the text may have been cut. Its groups of four
/// begin at one of four letters; by the others it decodes to no text.
fn show_long(letters: &[u8], give: &mut Give<'_>) {
    if letters.iter().all(u8::is_ascii_hexdigit) {
        return;
    }
    for shift in 0..4 {
        let bytes = decode(&letters[shift.min(letters.len())..]);
        for stretch in stretches(&bytes) {
            give(&bytes[stretch.clone()], shift, stretch.start);
        }
    }
}

/// A short run is text as a whole, or its parts are: a path, a scheme or a name may stand before the value.
fn show_short(letters: &[u8], give: &mut Give<'_>) {
    let bytes = decode(letters);
    if let Some(stretch) = whole_text(&bytes) {
        give(&bytes[stretch.clone()], 0, stretch.start);
        return;
    }
    let mut from = 0;
    for part in letters.split(|byte| matches!(byte, b'/' | b'-' | b'_' | b'+')) {
        if part.len() >= SHORTEST && part.len() < letters.len() {
            let bytes = decode(part);
            if let Some(stretch) = whole_text(&bytes) {
                give(&bytes[stretch.clone()], from, stretch.start);
            }
        }
        from += part.len() + 1;
    }
}

/// The coded containers that begin in `own`, of a text that begins at `base`. `ended`: no more of it can be had.
pub(super) fn containers(text: &[u8], own: Range<usize>, base: u64, ended: bool) -> Vec<Container> {
    let mut found = Vec::new();
    of_containers(text, own, |start, end| {
        let run = collect(text, start..end.min(start + LONGEST), 0);
        let whole = (end < text.len() || ended) && end - start <= LONGEST;
        found.push(Container { offset: base + start as u64, bytes: decode(&run.letters), whole });
    });
    found
}

/// Whether a coded container begins in `own` that goes on behind this text.
pub(super) fn goes_on(text: &[u8], own: Range<usize>) -> bool {
    if !ends_in_run(text) {
        return false;
    }
    let mut open = false;
    of_containers(text, own, |start, end| {
        let cut = text.len() - end <= 5 && text[end..].iter().all(|byte| breaks(*byte));
        open |= cut && end - start < LONGEST;
    });
    open
}

/// Whether a run, and a long one, may go on to the end of this text. It seldom does.
pub(super) fn ends_in_run(text: &[u8]) -> bool {
    let tail = &text[text.len().saturating_sub(LONG)..];
    tail.len() == LONG && tail.iter().all(|byte| CLASS[usize::from(*byte)] || breaks(*byte))
}

/// Whether this byte may be one between a run's letters.
fn breaks(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b' ' | b'\\' | b'r' | b'n')
}

/// The places of runs that begin in `own` and decode to what begins as a container does.
fn of_containers(text: &[u8], own: Range<usize>, mut visit: impl FnMut(usize, usize)) {
    let mut at = 0;
    while let Some(start) = next_run(text, at, own.end) {
        let end = run_end(text, start);
        at = end;
        let length = end - start;
        if start >= own.start && (length >= LONG || length >= SHORTEST_CONTAINER && signed(&text[start..])) {
            let head = collect(text, start..end.min(start + HEAD), 0);
            if formats::opens(&decode(&head.letters)) {
                visit(start, end);
            }
        }
    }
}

fn line_ends(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

/// Where the next run begins that is long enough, in this range. Not every byte is looked at.
fn next_run(text: &[u8], from: usize, until: usize) -> Option<usize> {
    let mut start = from;
    while start < until {
        let probe = text.get(start..start + SHORTEST)?;
        match probe.iter().rposition(|byte| !CLASS[usize::from(*byte)]) {
            Some(other) => start += other + 1,
            None if start > from || start == 0 || !CLASS[usize::from(text[start - 1])] => return Some(start),
            // The rest of a run that was looked at.
            None => start += text[start..].iter().position(|byte| !CLASS[usize::from(*byte)])?,
        }
    }
    None
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
    let letters = line.iter().take(FOLDED).take_while(|byte| CLASS[usize::from(**byte)]).count();
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
fn signed(letters: &[u8]) -> bool {
    letters.get(..4).is_some_and(|four| decode(four).first().is_some_and(|byte| SIGNS.contains(byte)))
}

/// Where a run ends, over folds.
fn run_end(text: &[u8], start: usize) -> usize {
    let (mut end, mut line) = (start, start);
    loop {
        end += text[end..].iter().position(|byte| !CLASS[usize::from(*byte)]).unwrap_or(text.len() - end);
        let Some((length, ends)) = joint(&text[end..], end - line, line > start) else { return end };
        end += length;
        if ends || length > 1 {
            line = end;
        }
    }
}

/// The letters of a run, before which stand so many line ends.
fn collect(text: &[u8], run: Range<usize>, lines: usize) -> Run {
    let (mut letters, mut folds) = (Vec::with_capacity(run.len()), Vec::new());
    let (mut at, mut line, mut lines) = (run.start, run.start, lines);
    while at < run.end {
        folds.push(Fold { letters: letters.len() as u32, at: at as u32, lines: lines as u32 });
        let length = text[at..run.end].iter().position(|byte| !CLASS[usize::from(*byte)]).unwrap_or(run.end - at);
        letters.extend_from_slice(&text[at..at + length]);
        at += length;
        let Some((length, ends)) = joint(&text[at..], at - line, line > run.start) else { break };
        at += length;
        lines += usize::from(ends);
        if ends || length > 1 {
            line = at;
        }
    }
    Run { letters, folds }
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
    run.len() >= LONG
        || begins(run)
        || run.windows(4).any(|at| matches!(at[0], b'/' | b'-' | b'_' | b'+') && begins(&at[1..]))
}

fn decode(letters: &[u8]) -> Vec<u8> {
    // A last letter alone stands for nothing.
    let letters = if letters.len() % 4 == 1 { &letters[..letters.len() - 1] } else { letters };
    let plain: Vec<u8>;
    let letters = if letters.iter().any(|byte| matches!(byte, b'-' | b'_')) {
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
    LENIENT.decode(letters).unwrap_or_default()
}

fn is_text(letter: char) -> bool {
    !letter.is_control() || matches!(letter, '\t' | '\n' | '\r')
}

/// Where text stands in these bytes: UTF-8 without control characters.
fn stretches(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    bytes
        .utf8_chunks()
        .flat_map(move |chunk| {
            let (begin, valid) = (from, chunk.valid());
            from += valid.len() + chunk.invalid().len();
            let mut at = begin;
            valid.split(|letter| !is_text(letter)).map(move |text| {
                let start = at;
                // Control characters are a byte long, or two.
                let behind = valid[start - begin + text.len()..].chars().next().map_or(0, char::len_utf8);
                at += text.len() + behind;
                start..start + text.len()
            })
        })
        .filter(|stretch| stretch.len() >= SHORTEST_TEXT)
}

/// The whole of these bytes if they are text, but for letters that were cut at their ends.
fn whole_text(bytes: &[u8]) -> Option<Range<usize>> {
    let cut = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let text = match std::str::from_utf8(&bytes[cut..]) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[cut..cut + error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    (text.len() >= SHORTEST_TEXT && text.chars().all(is_text)).then_some(cut..cut + text.len())
}

#[cfg(test)]
mod tests;
