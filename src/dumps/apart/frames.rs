//! What a reader in a process of its own writes on its standard output: frames of a kind, a length and so many bytes.
//! Whoever takes them trusts nothing in them but that they are text.

use crate::dumps::Piece;
use std::io::{self, Write};

/// No frame is longer: pieces are not.
const LONGEST: usize = 8 << 20;
const NONE: u64 = u64::MAX;

const MEMBER: u8 = 1;
const PIECE: u8 = 2;
const LEFT: u8 = 3;
const DONE: u8 = 4;

/// One thing told.
#[derive(Debug, PartialEq)]
pub(super) enum Frame<'a> {
    /// The pieces that follow are of this member.
    Member(Option<String>),
    Piece {
        base_offset: u64,
        first_line: u64,
        from: usize,
        until: usize,
        decoded: bool,
        text: &'a [u8],
    },
    /// What was not read, of the member that was told last or of none.
    Left {
        member: Option<String>,
        reason: String,
    },
    /// Everything was told.
    Done {
        rows: Option<u64>,
    },
}

/// The frames are not what a reader writes.
#[derive(Debug, PartialEq)]
pub(super) struct Garbled;

fn frame(out: &mut impl Write, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.write_all(&[kind])?;
    out.write_all(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes())?;
    parts.iter().try_for_each(|part| out.write_all(part))
}

/// A name that may be missing: a byte, then the name.
fn named(name: Option<&str>) -> Vec<u8> {
    name.map_or_else(Vec::new, |name| [b"+", name.as_bytes()].concat())
}

pub(super) fn write_member(out: &mut impl Write, member: Option<&str>) -> io::Result<()> {
    frame(out, MEMBER, &[&named(member)])
}

pub(super) fn write_piece(out: &mut impl Write, piece: &Piece<'_>) -> io::Result<()> {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
    frame(
        out,
        PIECE,
        &[
            &piece.base_offset.to_le_bytes(),
            &piece.first_line.to_le_bytes(),
            &place(piece.report.start),
            &place(piece.report.end),
            &[u8::from(piece.decoded)],
            piece.text,
        ],
    )
}

pub(super) fn write_left(out: &mut impl Write, member: Option<&str>, reason: &str) -> io::Result<()> {
    let name = named(member);
    frame(out, LEFT, &[&u32::try_from(name.len()).unwrap_or(0).to_le_bytes(), &name, reason.as_bytes()])
}

pub(super) fn write_done(out: &mut impl Write, rows: Option<u64>) -> io::Result<()> {
    frame(out, DONE, &[&rows.unwrap_or(NONE).to_le_bytes()])
}

/// The first frame in these bytes and how many it took; none while it is not all there.
pub(super) fn first(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Garbled> {
    let Some((header, rest)) = bytes.split_first_chunk::<5>() else { return Ok(None) };
    let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
    if length > LONGEST {
        return Err(Garbled);
    }
    let Some(content) = rest.get(..length) else { return Ok(None) };
    Ok(Some((parse(header[0], content).ok_or(Garbled)?, 5 + length)))
}

fn parse(kind: u8, content: &[u8]) -> Option<Frame<'_>> {
    match kind {
        MEMBER => Some(Frame::Member(name(content)?)),
        PIECE => {
            let (base_offset, content) = content.split_first_chunk()?;
            let (first_line, content) = content.split_first_chunk()?;
            let (from, content) = content.split_first_chunk()?;
            let (until, content) = content.split_first_chunk()?;
            let (decoded, text) = content.split_first()?;
            let (from, until) = (u32::from_le_bytes(*from) as usize, u32::from_le_bytes(*until) as usize);
            let (base_offset, first_line) = (u64::from_le_bytes(*base_offset), u64::from_le_bytes(*first_line));
            // Far within the range, so that nobody who adds to it runs over.
            let sane = from <= until && until <= text.len() && base_offset < 1 << 60 && first_line < 1 << 60;
            sane.then_some(Frame::Piece { base_offset, first_line, from, until, decoded: *decoded == 1, text })
        }
        LEFT => {
            let (length, content) = content.split_first_chunk()?;
            let (member, reason) = content.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some(Frame::Left { member: name(member)?, reason: String::from_utf8(reason.to_vec()).ok()? })
        }
        DONE => {
            let rows = u64::from_le_bytes(content.try_into().ok()?);
            Some(Frame::Done { rows: (rows != NONE).then_some(rows) })
        }
        _ => None,
    }
}

fn name(bytes: &[u8]) -> Option<Option<String>> {
    match bytes.split_first() {
        None => Some(None),
        Some((b'+', name)) => Some(Some(String::from_utf8(name.to_vec()).ok()?)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let piece = Piece {
            path: "a",
            member: Some("b"),
            text: b"text",
            base_offset: 7,
            first_line: 3,
            report: 1..4,
            decoded: true,
        };
        let mut bytes = Vec::new();
        write_member(&mut bytes, Some("b")).unwrap();
        write_piece(&mut bytes, &piece).unwrap();
        write_left(&mut bytes, None, "why").unwrap();
        write_done(&mut bytes, Some(9)).unwrap();
        let mut rest = bytes.as_slice();
        let mut told = Vec::new();
        while let Some((frame, length)) = first(rest).unwrap() {
            told.push(frame);
            rest = &rest[length..];
        }
        let expected = [
            Frame::Member(Some("b".to_owned())),
            Frame::Piece { base_offset: 7, first_line: 3, from: 1, until: 4, decoded: true, text: b"text" },
            Frame::Left { member: None, reason: "why".to_owned() },
            Frame::Done { rows: Some(9) },
        ];
        assert_eq!(told, expected);
        assert_eq!(first(b"\x02\xff\xff\xff\x7f"), Err(Garbled));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..6) {
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            let framed = [&[kind][..], &length, &bytes].concat();
            if let Ok(Some((Frame::Piece { from, until, text, .. }, taken))) = first(&framed) {
                prop_assert!(from <= until && until <= text.len() && taken == framed.len());
            }
            let _ = first(&bytes);
        }
    }
}
