//! Cuts a stream of text into pieces, each shown with what stands around it, so that a marker on a border is seen whole and
//! reported once. What is coded in it is shown as well.

use crate::dumps::{
    Piece,
    coded::{self, Container},
    encoding::Transcoder,
    part::AROUND,
    stream::HEAD,
    written,
};
use std::{
    io::{self, Read},
    ops::Range,
};

/// The length of what pieces report.
const TARGET: usize = 1 << 20;
/// Bytes asked of a source at once.
const CHUNK: usize = 256 << 10;
const MARGIN: usize = AROUND as usize;

/// Something that gives text.
pub(super) trait Source {
    /// Appends more text; false at the end.
    fn more(&mut self, text: &mut Vec<u8>) -> io::Result<bool>;
}

/// What is shown of a text.
pub(super) enum Shown<'a> {
    Piece(&'a Piece<'a>),
    /// Containers that are coded in it.
    Containers(Vec<Container>),
}

/// Shows the part of a text whose source begins at `base`, and what stands around it; nothing coded that begins without, and
/// coded containers only if they are to be opened.
/// Lines are counted from the one in which the part begins; those before it wrap around. Answers the line ends in it.
/// An error of the source ends the text; what came before it is shown.
pub(super) fn cut(
    (path, member): (&str, Option<&str>),
    source: &mut dyn Source,
    base: u64,
    part: &Range<u64>,
    opening: bool,
    visit: &mut dyn FnMut(Shown<'_>),
) -> (u64, io::Result<()>) {
    let (mut text, mut ended, mut failed) = (Vec::new(), false, Ok(()));
    // Of the text's first byte; up to where was reported; the line of the text's first byte, once it is known.
    let (mut offset, mut from, mut line, mut lines) = (base, 0, None, 0);
    let limit = part.end.saturating_add(AROUND);
    let mut fill = |text: &mut Vec<u8>, ended: &mut bool| match source.more(text) {
        Ok(more) => *ended = !more,
        Err(error) => (*ended, failed) = (true, Err(error)),
    };
    loop {
        let reached = |text: &[u8]| text.len() >= usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        while !ended && text.len() < from + TARGET + MARGIN && !reached(&text) {
            fill(&mut text, &mut ended);
        }
        let end = text.len().min(usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX));
        let last = end <= from + TARGET && (ended || reached(&text));
        let until = if last { end } else { (from + TARGET).min(end - MARGIN) };
        let within = |place: u64, text: &[u8]| (place.clamp(offset, offset + text.len() as u64) - offset) as usize;
        let own = within(part.start, &text).max(from)..within(part.end, &text).min(until).max(from);
        while opening && !ended && coded::goes_on(&text, own.clone()) {
            fill(&mut text, &mut ended);
        }
        let first_line = *line.get_or_insert_with(|| 1_u64.wrapping_sub(line_ends(&text[..within(part.start, &text)])));
        let piece = Piece {
            path,
            member,
            text: &text[..(until + MARGIN).min(end)],
            base_offset: offset,
            first_line,
            report: from..until,
            coded: None,
        };
        // Before what it is coded in, so that places come in order.
        let begins = coded::show(&piece, &mut |coded| visit(Shown::Piece(coded)));
        written::show(&piece, &mut |read| visit(Shown::Piece(read)));
        visit(Shown::Piece(&piece));
        if opening {
            let containers = coded::containers(&text, &begins, own.clone(), offset, ended);
            if !containers.is_empty() {
                visit(Shown::Containers(containers));
            }
        }
        // Most of it is counted once.
        let (begin, end) = (own.start.min(own.end), own.end);
        let own = line_ends(&text[begin..end]);
        lines += own;
        if last {
            return (lines, failed);
        }
        let dropped = until.saturating_sub(MARGIN);
        let reported = line_ends(&text[..begin]) + own + line_ends(&text[end..until]);
        line = Some(first_line.wrapping_add(reported - line_ends(&text[dropped..until])));
        offset += dropped as u64;
        from = until - dropped;
        text.drain(..dropped);
    }
}

fn line_ends(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Bytes that are shown as they stand.
pub(super) struct Plain<'a>(pub &'a mut dyn Read);

impl Source for Plain<'_> {
    fn more(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        Ok((&mut *self.0).take(CHUNK as u64).read_to_end(text)? > 0)
    }
}

/// A stream in any encoding, whose head may have been read.
pub(super) struct Encoded<'a> {
    head: Vec<u8>,
    rest: &'a mut dyn Read,
    transcoder: Option<Transcoder>,
    ended: bool,
}

impl<'a> Encoded<'a> {
    pub fn new(head: Vec<u8>, rest: &'a mut dyn Read) -> Encoded<'a> {
        Encoded { head, rest, transcoder: None, ended: false }
    }
}

impl Source for Encoded<'_> {
    fn more(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut bytes = std::mem::take(&mut self.head);
        let begins = self.transcoder.is_none();
        // A short head tells little of an encoding.
        let wanted = if begins { HEAD } else { CHUNK };
        let read = (&mut *self.rest).take(wanted.saturating_sub(bytes.len()) as u64).read_to_end(&mut bytes);
        self.ended = read.is_err() || bytes.len() < wanted;
        self.transcoder.get_or_insert_with(|| Transcoder::of(&bytes)).push(&bytes, self.ended, text);
        // What came before an error is text; whoever asks again gets no more.
        read.map(|_| !self.ended)
    }
}
