//! Values that a text holds in base64: whole columns of a table, LDIF's `mail::`, parts of JSON, attachments. What they
//! decode to is shown with the place of each byte's coded form; those that are containers are handed on, to be opened.
//! What is found depends on nothing but what stands around it, so that a text cut anywhere shows the same.

mod letters;
mod texts;

use crate::dumps::{
    Piece,
    coded::{
        letters::{Letters, begins_text, breaks, decode, decode_to, is_letter, may_go_on, plausible, run_end, signed},
        texts::{stretches, whole_text},
    },
    formats,
    places::{Fold, Places},
};
use canaries::index::base64_runs;
use std::ops::Range;

/// The shortest run that is looked at: seven bytes, without their padding.
const SHORTEST: usize = 10;
/// From this length on a run is looked at whatever its first bytes decode to.
const LONG: usize = 200;
/// The shortest coded container, in letters.
const SHORTEST_CONTAINER: usize = 32;
/// How much of a coded value is looked at to tell whether it is a container, in letters.
const HEAD: usize = 4 << 10;
/// The longest coded container, in letters.
pub(super) const LONGEST: usize = 32 << 20;

/// A coded value that is a container.
pub(super) struct Container {
    /// Where it stands in the text.
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// Whether it is all there.
    pub whole: bool,
}

/// Shows what is coded in the reporting part of a piece, and answers where in it containers may begin.
pub(super) fn show(piece: &Piece<'_>, visit: &mut dyn FnMut(&Piece<'_>)) -> Vec<usize> {
    let text = piece.text;
    let mut begins = Vec::new();
    let (mut counted, mut lines) = (0, 0);
    let mut lines_before = |start: usize| {
        lines += line_ends(&text[counted..start]);
        counted = start;
        lines
    };
    let (mut folded, mut bytes) = (Letters::default(), Vec::new());
    runs(text, piece.report.end, &mut |run| {
        let length = run.range.len();
        if may_open(text, &run.range) {
            begins.push(run.range.start);
        }
        // So short, only its padding tells it from a word.
        let word = length == SHORTEST && !text[run.range.end..].starts_with(b"==");
        if run.range.end <= piece.report.start || word {
            return;
        }
        let start = run.range.start;
        let letters = &text[run.range.clone()];
        if run.folded || length >= LONG {
            if length >= LONG || plausible(letters) {
                folded.collect(text, run.range, lines_before(start));
                let mut give =
                    |text: &[u8], shift: usize, first: usize| give(piece, &folded.folds, text, shift, first, visit);
                show_long(&folded.letters, &mut bytes, &mut give);
            }
        } else if run.marked || begins_text(letters) {
            let mut give = |text: &[u8], shift: usize, first: usize| {
                let fold = Fold { letters: 0, at: start as u32, lines: lines_before(start) as u32 };
                give(piece, &[fold], text, shift, first, visit);
            };
            show_short(letters, run.marked, &mut bytes, &mut give);
        }
    });
    begins
}

/// Takes a text, the letter with which its first byte begins, and which of the decoded bytes that is.
type Give<'a> = dyn FnMut(&[u8], usize, usize) + 'a;

/// Shows what was decoded, as far as it is the piece's to report.
fn give(piece: &Piece<'_>, folds: &[Fold], text: &[u8], shift: usize, first: usize, visit: &mut dyn FnMut(&Piece<'_>)) {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let places = Places { base64: true, shift: narrow(shift), first: narrow(first), folds };
    let report = places.before(piece.report.start, text.len())..places.before(piece.report.end, text.len());
    if !report.is_empty() {
        visit(&Piece { text, report, coded: Some(places), ..piece.clone() });
    }
}

/// Where a long run begins is not sure: a path may stand before it, or the text may have been cut. Its groups of four
/// begin at one of four letters; by the others it decodes to no text.
fn show_long(letters: &[u8], bytes: &mut Vec<u8>, give: &mut Give<'_>) {
    if letters.iter().all(u8::is_ascii_hexdigit) {
        return;
    }
    for shift in 0..4 {
        decode_to(&letters[shift.min(letters.len())..], bytes);
        for stretch in stretches(bytes) {
            give(&bytes[stretch.clone()], shift, stretch.start);
        }
    }
}

/// A short run is text as a whole, or its parts are, if it has marks: a path, a scheme or a name may stand before the
/// value.
fn show_short(letters: &[u8], marked: bool, bytes: &mut Vec<u8>, give: &mut Give<'_>) {
    let mut try_one = |letters: &[u8], from: usize| {
        if !begins_text(letters) {
            return false;
        }
        decode_to(letters, bytes);
        let text = whole_text(bytes);
        if let Some(stretch) = &text {
            give(&bytes[stretch.clone()], from, stretch.start);
        }
        text.is_some()
    };
    if try_one(letters, 0) || !marked {
        return;
    }
    let mut from = 0;
    for part in letters.split(|byte| matches!(byte, b'/' | b'-' | b'_' | b'+')) {
        if part.len() >= SHORTEST && part.len() < letters.len() {
            try_one(part, from);
        }
        from += part.len() + 1;
    }
}

/// The coded containers that begin in `own`, at some of these places, of a text that begins at `base`. `ended`: no more of
/// it can be had.
pub(super) fn containers(text: &[u8], begins: &[usize], own: Range<usize>, base: u64, ended: bool) -> Vec<Container> {
    let mut found = Vec::new();
    for start in begins.iter().copied().filter(|start| own.contains(start)) {
        let end = run_end(text, start);
        if opens(text, start..end) {
            let bytes = decode(&Letters::of(text, start..end.min(start + LONGEST)));
            let whole = (end < text.len() || ended) && end - start <= LONGEST;
            found.push(Container { offset: base + start as u64, bytes, whole });
        }
    }
    found
}

/// Whether a coded container begins in `own` that goes on behind this text.
pub(super) fn goes_on(text: &[u8], own: Range<usize>) -> bool {
    if !ends_in_run(text) {
        return false;
    }
    let mut open = false;
    runs(text, own.end, &mut |run| {
        let Range { start, end } = run.range;
        let cut = text.len() - end <= 5 && text[end..].iter().all(|byte| breaks(*byte));
        let own = start >= own.start && may_open(text, &run.range);
        open |= own && cut && end - start < LONGEST && opens(text, run.range);
    });
    open
}

/// Whether a run, and a long one, may go on to the end of this text. It seldom does.
pub(super) fn ends_in_run(text: &[u8]) -> bool {
    let tail = &text[text.len().saturating_sub(LONG)..];
    tail.len() == LONG && tail.iter().all(|byte| is_letter(*byte) || breaks(*byte))
}

/// Whether a run may be a container, by its first letters.
fn may_open(text: &[u8], run: &Range<usize>) -> bool {
    run.len() >= LONG || run.len() >= SHORTEST_CONTAINER && signed(&text[run.start..])
}

/// Whether a run decodes to what begins as a container does.
fn opens(text: &[u8], run: Range<usize>) -> bool {
    formats::opens(&decode(&Letters::of(text, run.start..run.end.min(run.start + HEAD))))
}

fn line_ends(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

/// A run of letters, over its folds.
struct Run {
    range: Range<usize>,
    folded: bool,
    /// Whether there may be marks among its letters.
    marked: bool,
}

/// Shows the runs that begin before this place and are long enough.
fn runs(text: &[u8], until: usize, visit: &mut dyn FnMut(Run)) {
    let mut at = 0;
    base64_runs(text, until, &mut |run| {
        // What a folded run goes on with is no run of its own.
        if run.start >= at {
            let first = run.start..run.end;
            at = if may_go_on(text, &first) { run_end(text, run.start) } else { run.end };
            visit(Run { range: run.start..at, folded: at > run.end, marked: run.marked || first.len() > 64 });
        }
    });
}

#[cfg(test)]
mod tests;
