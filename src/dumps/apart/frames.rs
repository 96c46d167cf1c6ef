//! What a reader in a process of its own writes on its standard output: frames of a kind, a length and so many bytes.
//! Whoever takes them trusts nothing in them but that they are text.

use crate::dumps::{
    Piece,
    places::{Fold, Places},
};
use std::io::{self, Write};

/// No frame is longer: a piece is little more than a MiB, and has at most a fold of twelve bytes for each of its bytes.
const LONGEST: usize = 16 << 20;

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
        coded: Option<Coded>,
        text: &'a [u8],
    },
    /// What was not read, of the member that was told last or of none.
    Left {
        member: Option<String>,
        reason: String,
    },
    /// Everything was told.
    Done,
}

/// Where a coded text stands, as it was told.
#[derive(Debug, PartialEq)]
pub(super) struct Coded {
    base64: bool,
    shift: u32,
    first: u32,
    folds: Vec<Fold>,
}

impl Coded {
    pub fn places(&self) -> Places<'_> {
        Places { base64: self.base64, shift: self.shift, first: self.first, folds: &self.folds }
    }
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
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut places = Vec::new();
    if let Some(coded) = &piece.coded {
        places.extend([u32::from(coded.base64), coded.shift, coded.first].map(u32::to_le_bytes).as_flattened());
        for fold in coded.needed(piece.text.len()) {
            places.extend([fold.letters, fold.at, fold.lines].map(u32::to_le_bytes).as_flattened());
        }
    }
    frame(
        out,
        PIECE,
        &[
            &piece.base_offset.to_le_bytes(),
            &piece.first_line.to_le_bytes(),
            &narrow(piece.report.start),
            &narrow(piece.report.end),
            &narrow(places.len()),
            &places,
            piece.text,
        ],
    )
}

pub(super) fn write_left(out: &mut impl Write, member: Option<&str>, reason: &str) -> io::Result<()> {
    let name = named(member);
    frame(out, LEFT, &[&u32::try_from(name.len()).unwrap_or(0).to_le_bytes(), &name, reason.as_bytes()])
}

pub(super) fn write_done(out: &mut impl Write) -> io::Result<()> {
    frame(out, DONE, &[])
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
            let (places, content) = content.split_first_chunk()?;
            let (places, text) = content.split_at_checked(u32::from_le_bytes(*places) as usize)?;
            let (from, until) = (u32::from_le_bytes(*from) as usize, u32::from_le_bytes(*until) as usize);
            let (base_offset, first_line) = (u64::from_le_bytes(*base_offset), u64::from_le_bytes(*first_line));
            // Far within the range, so that nobody who adds to it runs over.
            let sane = from <= until && until <= text.len() && base_offset < 1 << 60 && first_line < 1 << 60;
            let coded = if places.is_empty() { None } else { Some(coded(places)?) };
            sane.then_some(Frame::Piece { base_offset, first_line, from, until, coded, text })
        }
        LEFT => {
            let (length, content) = content.split_first_chunk()?;
            let (member, reason) = content.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some(Frame::Left { member: name(member)?, reason: String::from_utf8(reason.to_vec()).ok()? })
        }
        DONE => content.is_empty().then_some(Frame::Done),
        _ => None,
    }
}

fn coded(bytes: &[u8]) -> Option<Coded> {
    let (words, rest) = bytes.as_chunks::<4>();
    let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let (&[base64, shift, first], folds) = words.split_first_chunk()?;
    let (folds, more) = folds.as_chunks::<3>();
    let folds = folds.iter().map(|&[letters, at, lines]| Fold { letters, at, lines }).collect();
    (rest.is_empty() && more.is_empty()).then_some(Coded { base64: base64 == 1, shift, first, folds })
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
            coded: Some(Places { base64: true, shift: 1, first: 2, folds: &[Fold { letters: 0, at: 9, lines: 4 }] }),
        };
        let mut bytes = Vec::new();
        write_member(&mut bytes, Some("b")).unwrap();
        write_piece(&mut bytes, &piece).unwrap();
        write_left(&mut bytes, None, "why").unwrap();
        write_done(&mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        let mut told = Vec::new();
        while let Some((frame, length)) = first(rest).unwrap() {
            told.push(frame);
            rest = &rest[length..];
        }
        let coded = Coded { base64: true, shift: 1, first: 2, folds: vec![Fold { letters: 0, at: 9, lines: 4 }] };
        let expected = [
            Frame::Member(Some("b".to_owned())),
            Frame::Piece { base_offset: 7, first_line: 3, from: 1, until: 4, coded: Some(coded), text: b"text" },
            Frame::Left { member: None, reason: "why".to_owned() },
            Frame::Done,
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
