//! Cuts a stream of text into pieces, so that a marker on a border is reported once.

use crate::dumps::{Piece, encoding::Transcoder, rows::RowCounter, stream::HEAD};
use std::io::{self, Read};

/// The length that pieces aim at.
const TARGET: usize = 1 << 20;
/// How much of a piece without line ends the next one repeats.
const OVERLAP: usize = 64 << 10;
/// Bytes asked of a source at once.
const CHUNK: usize = 256 << 10;

/// What a text amounted to.
#[derive(Default)]
pub(super) struct Amount {
    pub bytes: u64,
    pub rows: Option<u64>,
    /// The error at which the source ended.
    pub error: Option<io::Error>,
}

/// Shows a text in pieces. An error of the source ends it; what came before it is shown.
pub(super) fn cut(
    path: &str,
    member: Option<&str>,
    head: &[u8],
    source: &mut dyn Read,
    visit: &mut dyn FnMut(&Piece<'_>),
) -> Amount {
    let mut amount = Amount::default();
    // A short head tells little of an encoding.
    let mut begin = head.to_vec();
    if begin.len() < HEAD {
        let left = (HEAD - begin.len()) as u64;
        amount.error = (&mut *source).take(left).read_to_end(&mut begin).err();
    }
    amount.bytes = begin.len() as u64;
    let mut transcoder = Transcoder::of(&begin);
    let mut rows = RowCounter::default();
    let mut cutter = Cutter { path, member, text: Vec::new(), offset: 0, line: 1, from: 0 };
    transcoder.push(&begin, false, &mut cutter.text);
    drop(begin);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match source.read(&mut chunk) {
            _ if amount.error.is_some() => 0,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                amount.error = Some(error);
                0
            }
        };
        amount.bytes += read as u64;
        transcoder.push(&chunk[..read], read == 0, &mut cutter.text);
        if read == 0 {
            break;
        }
        while cutter.text.len() >= TARGET {
            cutter.give(false, &mut rows, visit);
        }
    }
    if !cutter.text.is_empty() {
        cutter.give(true, &mut rows, visit);
    }
    amount.rows = rows.finish();
    amount
}

struct Cutter<'a> {
    path: &'a str,
    member: Option<&'a str>,
    text: Vec<u8>,
    /// Of the text's first byte.
    offset: u64,
    line: u64,
    /// Where in the text reporting begins: before it, the piece before has reported.
    from: usize,
}

impl Cutter<'_> {
    /// Shows the next piece and drops what the one after it does not need.
    fn give(&mut self, last: bool, rows: &mut RowCounter, visit: &mut dyn FnMut(&Piece<'_>)) {
        let (end, until, next) = if last {
            (self.text.len(), self.text.len(), self.text.len())
        } else {
            match line_end(&self.text[..TARGET]).filter(|end| *end > self.from) {
                Some(end) => (end, end, end),
                None => (TARGET, TARGET - OVERLAP / 2, TARGET - OVERLAP),
            }
        };
        let piece = Piece {
            path: self.path,
            member: self.member,
            text: &self.text[..end],
            base_offset: self.offset,
            first_line: self.line,
            report: self.from..until,
            decoded: false,
        };
        visit(&piece);
        rows.see(&self.text[self.from..until]);
        self.line += self.text[..next].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.offset += next as u64;
        self.from = until - next;
        self.text.drain(..next);
    }
}

/// The end of the last line that quoted-printable does not continue.
fn line_end(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    while let Some(at) = text[..end].iter().rposition(|byte| *byte == b'\n') {
        if !text[..at].ends_with(b"=") && !text[..at].ends_with(b"=\r") {
            return Some(at + 1);
        }
        end = at;
    }
    None
}
