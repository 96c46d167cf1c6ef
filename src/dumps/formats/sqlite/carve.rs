//! Rows that were deleted from a SQLite database and not written over: on freed pages, and in the free parts of those
//! in use. They are made out by their shape, a header of types whose lengths fit.

use crate::dumps::{drawn, stream::Held};
use encoding_rs::{UTF_16BE, UTF_16LE};
use std::{
    borrow::Cow,
    io::{self, Read, Seek, SeekFrom},
};

/// The most columns of a row that is made out.
const MOST_COLUMNS: usize = 120;

/// Goes over the pages of a database.
pub(super) struct Carver<'a, 'b> {
    held: &'a mut Held<'b>,
    page: usize,
    /// How many pages there are, and which are free.
    count: u64,
    free: Vec<bool>,
    next: u64,
    encoding: u8,
}

impl<'a, 'b> Carver<'a, 'b> {
    pub fn new(held: &'a mut Held<'b>) -> io::Result<Self> {
        let length = held.seek(SeekFrom::End(0))?;
        let mut header = [0; 100];
        held.rewind()?;
        held.read_exact(&mut header)?;
        let page = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let count = length / page as u64;
        let first = u32::from_be_bytes([header[32], header[33], header[34], header[35]]);
        let mut carver = Carver { held, page, count, free: Vec::new(), next: 0, encoding: header[59] };
        carver.list_free(first)?;
        Ok(carver)
    }

    /// Follows the list of free pages.
    fn list_free(&mut self, first: u32) -> io::Result<()> {
        self.free = vec![false; usize::try_from(self.count).unwrap_or(0)];
        let mut trunk = first;
        while let Some(here) = self.mark(trunk) {
            let bytes = self.read(here)?;
            let word = |at: usize| {
                bytes.get(at..at + 4).map_or(0, |word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            };
            let leaves = (word(4) as usize).min(self.page / 4);
            for leaf in 0..leaves {
                self.mark(word(8 + leaf * 4));
            }
            trunk = word(0);
        }
        Ok(())
    }

    /// Marks a page as free, and answers its place; none if it was marked, or is none.
    fn mark(&mut self, number: u32) -> Option<u64> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        let free = self.free.get_mut(place)?;
        (!std::mem::replace(free, true)).then_some(place as u64)
    }

    fn read(&mut self, place: u64) -> io::Result<Vec<u8>> {
        self.held.seek(SeekFrom::Start(place * self.page as u64))?;
        let mut bytes = vec![0; self.page];
        self.held.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Appends what is made out on the next page; false at the end.
    pub fn next(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        if self.next >= self.count {
            return Ok(false);
        }
        let place = self.next;
        self.next += 1;
        let bytes = self.read(place)?;
        let header = if place == 0 { 100 } else { 0 };
        if self.free.get(place as usize).copied().unwrap_or(false) {
            self.carve(&bytes, 0, text);
        } else if bytes.get(header) == Some(&13) {
            let word =
                |at: usize| bytes.get(at..at + 2).map_or(0, |word| usize::from(u16::from_be_bytes([word[0], word[1]])));
            let (cells, content) = (word(header + 3), word(header + 5));
            let gap = header + 8 + cells * 2;
            if let Some(gap) = bytes.get(gap..if content == 0 { 65_536 } else { content }) {
                self.carve(gap, 0, text);
            }
            let (mut block, mut turns) = (word(header + 1), 0);
            while block > 0 && turns < self.page / 4 {
                if let Some(bytes) = bytes.get(block..block + word(block + 2)) {
                    let from = self.beheaded(bytes, text);
                    self.carve(bytes, from, text);
                }
                block = word(block);
                turns += 1;
            }
        }
        Ok(true)
    }

    /// Every row that can be made out from here on.
    fn carve(&self, bytes: &[u8], from: usize, text: &mut Vec<u8>) {
        let mut at = from;
        while at + 4 < bytes.len() {
            at += self.whole(&bytes[at..], text).unwrap_or(1);
        }
    }

    /// The row that begins here: its length, its number, its header's length, its types. The lengths must agree.
    fn whole(&self, bytes: &[u8], text: &mut Vec<u8>) -> Option<usize> {
        let (payload, width) = varint(bytes)?;
        let number = bytes.get(width..)?.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
        let start = width + number;
        let length = usize::from(*bytes.get(start)?);
        let header = bytes.get(start + 1..start + length)?;
        let types = types(header)?;
        let body: usize = types.iter().map(|kind| length_of(*kind)).sum();
        if types.is_empty() || (length + body) as u64 != payload {
            return None;
        }
        Some(start + length + self.row(&types, bytes.get(start + length..)?, text)?)
    }

    /// The row at the start of a free block, whose first four bytes are lost: its length, its number, and mostly the
    /// length of its header. Answers where what follows begins.
    fn beheaded(&self, bytes: &[u8], text: &mut Vec<u8>) -> usize {
        let Some(rest) = bytes.get(4..) else { return bytes.len() };
        for columns in 1..MOST_COLUMNS {
            let Some((types, header)) = leading(rest, columns) else { break };
            let body: usize = types.iter().map(|kind| length_of(*kind)).sum();
            if header + body == rest.len() && self.row(&types, &rest[header..], text).is_some() {
                return bytes.len();
            }
        }
        4
    }

    /// Appends a row of these types, if it looks like one, and answers how long it is.
    fn row(&self, types: &[u64], body: &[u8], text: &mut Vec<u8>) -> Option<usize> {
        let (mut at, mut cells, mut worth) = (0usize, Vec::<Cow<'_, [u8]>>::new(), false);
        for &kind in types {
            let value = body.get(at..at.checked_add(length_of(kind))?)?;
            at += value.len();
            let cell = match kind {
                0 | 10 | 11 => Cow::Borrowed(&[][..]),
                8 | 9 => Cow::Owned((kind - 8).to_string().into_bytes()),
                1..=6 => Cow::Owned(integer(value).to_string().into_bytes()),
                7 => Cow::Owned(f64::from_be_bytes(value.try_into().ok()?).to_string().into_bytes()),
                kind if kind % 2 == 0 => Cow::Borrowed(value),
                _ => {
                    let decoded = match self.encoding {
                        2 => UTF_16LE.decode_without_bom_handling_and_without_replacement(value)?,
                        3 => UTF_16BE.decode_without_bom_handling_and_without_replacement(value)?,
                        _ => Cow::Borrowed(std::str::from_utf8(value).ok()?),
                    };
                    if decoded.contains('\0') {
                        return None;
                    }
                    worth |= decoded.len() >= 4;
                    Cow::Owned(decoded.into_owned().into_bytes())
                }
            };
            cells.push(cell);
        }
        if !worth {
            return None;
        }
        drawn::row(text, cells.iter().map(AsRef::as_ref));
        Some(at)
    }
}

/// The types that fill a header exactly.
fn types(header: &[u8]) -> Option<Vec<u64>> {
    let (mut types, mut at) = (Vec::new(), 0);
    while at < header.len() {
        let (kind, length) = varint(&header[at..])?;
        if matches!(kind, 10 | 11) || types.len() >= MOST_COLUMNS {
            return None;
        }
        types.push(kind);
        at += length;
    }
    Some(types)
}

/// So many types, and how long they are.
fn leading(bytes: &[u8], count: usize) -> Option<(Vec<u64>, usize)> {
    let (mut types, mut at) = (Vec::new(), 0);
    for _ in 0..count {
        let (kind, length) = varint(bytes.get(at..)?)?;
        types.push(kind);
        at += length;
    }
    Some((types, at))
}

/// A number of one to three bytes: lengths on one page have no more.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(3).enumerate() {
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn length_of(kind: u64) -> usize {
    match kind {
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        12.. => ((kind - 12) / 2) as usize,
        _ => 0,
    }
}

fn integer(bytes: &[u8]) -> i64 {
    let first = bytes.first().map_or(0, |byte| i64::from(*byte as i8));
    bytes.iter().skip(1).fold(first, |value, byte| (value << 8) | i64::from(*byte))
}
