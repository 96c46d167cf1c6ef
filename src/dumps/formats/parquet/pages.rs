//! One column of a row group, page by page: unpacked, decoded, and given out row by row.

use crate::dumps::{
    formats::{
        parquet::{levels, thrift},
        zstd::Frames,
    },
    stream::Held,
};
use std::io::{self, Read, Seek, SeekFrom};

/// The most bytes that one page may have, packed or not.
const MOST_BYTES: i64 = 48 << 20;
/// The most bytes that a page's header may have.
const MOST_HEADER: u64 = 256 << 10;

/// What the footer says of a column.
#[derive(Clone, Debug, Default)]
pub(super) struct Described {
    pub name: String,
    /// The physical type: 0 to 7.
    pub kind: i64,
    /// The length of a value, where all have the same.
    pub length: usize,
    /// The highest levels: above zero where values may be missing, or repeated.
    pub definition: u32,
    pub repetition: u32,
}

/// A column on its way.
pub(super) struct Column<'a> {
    described: &'a Described,
    codec: i64,
    /// Where the next page begins, and where the last ends.
    at: u64,
    end: u64,
    dictionary: Cells,
    page: Page,
    /// The row, level and value that come next.
    level: usize,
    value: usize,
}

/// Values as text, one after another.
#[derive(Default)]
struct Cells {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, value: &[u8]) {
        self.text.extend_from_slice(value);
        self.ends.push(self.text.len());
    }

    fn get(&self, number: usize) -> Option<&[u8]> {
        let start = if number == 0 { 0 } else { *self.ends.get(number - 1)? };
        self.text.get(start..*self.ends.get(number)?)
    }
}

#[derive(Default)]
struct Page {
    count: usize,
    repetitions: Vec<u32>,
    definitions: Vec<u32>,
    values: Values,
}

enum Values {
    Plain(Cells),
    Numbers(Vec<u32>),
}

impl Default for Values {
    fn default() -> Self {
        Values::Plain(Cells::default())
    }
}

impl<'a> Column<'a> {
    pub fn new(described: &'a Described, codec: i64, at: u64, end: u64) -> Self {
        Column { described, codec, at, end, dictionary: Cells::default(), page: Page::default(), level: 0, value: 0 }
    }

    /// Appends the next row's value, or values; false at the end.
    pub fn next(&mut self, source: &mut Held<'_>, cell: &mut Vec<u8>) -> io::Result<bool> {
        let mut first = true;
        loop {
            if self.level >= self.page.count {
                if self.at >= self.end {
                    return Ok(!first);
                }
                self.load(source)?;
                continue;
            }
            let repeated = self.page.repetitions.get(self.level).is_some_and(|level| *level > 0);
            if !first && !repeated {
                return Ok(true);
            }
            let here = self.page.definitions.get(self.level).is_none_or(|level| *level == self.described.definition);
            self.level += 1;
            if here {
                if !first {
                    cell.push(b' ');
                }
                let value = match &self.page.values {
                    Values::Plain(cells) => cells.get(self.value),
                    Values::Numbers(numbers) => {
                        numbers.get(self.value).and_then(|at| self.dictionary.get(*at as usize))
                    }
                };
                cell.extend_from_slice(value.ok_or_else(invalid)?);
                self.value += 1;
            }
            first = false;
            if self.described.repetition == 0 {
                return Ok(true);
            }
        }
    }

    /// Reads the next page.
    fn load(&mut self, source: &mut Held<'_>) -> io::Result<()> {
        source.seek(SeekFrom::Start(self.at))?;
        let mut head = Vec::new();
        let mut asked = 1 << 10;
        let (header, length) = loop {
            (&mut *source).take(asked - head.len() as u64).read_to_end(&mut head)?;
            if let Some(read) = thrift::read(&head) {
                break read;
            }
            if (head.len() as u64) < asked || asked >= MOST_HEADER {
                return Err(invalid());
            }
            asked *= 4;
        };
        let size = |field| header.int(field).filter(|size| (0..=MOST_BYTES).contains(size)).ok_or_else(invalid);
        let (unpacked, packed) = (size(2)? as usize, size(3)? as usize);
        let start = self.at + length as u64;
        self.at = start + packed as u64;
        source.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        (&mut *source).take(packed as u64).read_to_end(&mut bytes)?;
        if bytes.len() < packed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match header.int(1) {
            Some(0) => {
                let about = header.field(5).ok_or_else(invalid)?;
                let bytes = self.unpack(&bytes, unpacked)?;
                let count = counted(about.int(1))?;
                let mut rest = bytes.as_slice();
                let repetitions = self.levels(&mut rest, self.described.repetition, about.int(4), count)?;
                let definitions = self.levels(&mut rest, self.described.definition, about.int(3), count)?;
                self.fill(count, repetitions, definitions, about.int(2), rest)
            }
            Some(3) => {
                let about = header.field(8).ok_or_else(invalid)?;
                let count = counted(about.int(1))?;
                let (definitions, repetitions) = (counted(about.int(5))?, counted(about.int(6))?);
                let (repetitions, rest) = bytes.split_at_checked(repetitions).ok_or_else(invalid)?;
                let (definitions, rest) = rest.split_at_checked(definitions).ok_or_else(invalid)?;
                let read = |bytes: &[u8], most: u32| match most {
                    0 => Some(Vec::new()),
                    most => levels::hybrid(bytes, 32 - most.leading_zeros(), count),
                };
                let repetitions = read(repetitions, self.described.repetition).ok_or_else(invalid)?;
                let definitions = read(definitions, self.described.definition).ok_or_else(invalid)?;
                let values = match about.field(7) {
                    Some(thrift::Value::Bool(false)) => rest.to_vec(),
                    _ => self.unpack(rest, unpacked)?,
                };
                self.fill(count, repetitions, definitions, about.int(4), &values)
            }
            Some(2) => {
                let about = header.field(7).ok_or_else(invalid)?;
                let bytes = self.unpack(&bytes, unpacked)?;
                self.dictionary = self.plain(&bytes, counted(about.int(1))?)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn fill(
        &mut self,
        count: usize,
        repetitions: Vec<u32>,
        definitions: Vec<u32>,
        coding: Option<i64>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let most = self.described.definition;
        let there = if most == 0 { count } else { definitions.iter().filter(|level| **level == most).count() };
        let values = match coding {
            Some(0) => Values::Plain(self.plain(bytes, there)?),
            Some(2 | 8) => {
                let numbers = match bytes.split_first() {
                    None if there == 0 => Some(Vec::new()),
                    None => None,
                    Some((width, bytes)) => levels::hybrid(bytes, u32::from(*width), there),
                };
                Values::Numbers(numbers.ok_or_else(invalid)?)
            }
            Some(3) if self.described.kind == 0 => {
                let numbers = bytes.get(4..).and_then(|bytes| levels::hybrid(bytes, 1, there)).ok_or_else(invalid)?;
                let mut cells = Cells::default();
                numbers.iter().for_each(|bit| cells.push(if *bit == 1 { b"true" } else { b"false" }));
                Values::Plain(cells)
            }
            Some(5) => {
                let numbers = levels::delta(&mut &bytes[..]).ok_or_else(invalid)?;
                let mut cells = Cells::default();
                numbers.iter().for_each(|number| cells.push(number.to_string().as_bytes()));
                Values::Plain(cells)
            }
            Some(6) => Values::Plain(lengths(bytes).ok_or_else(invalid)?),
            Some(7) => Values::Plain(prefixes(bytes).ok_or_else(invalid)?),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        self.page = Page { count, repetitions, definitions, values };
        (self.level, self.value) = (0, 0);
        Ok(())
    }

    fn unpack(&self, bytes: &[u8], unpacked: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let most = unpacked as u64;
        match self.codec {
            0 => return Ok(bytes.to_vec()),
            1 => {
                if snap::raw::decompress_len(bytes).map_err(|_| invalid())? > unpacked {
                    return Err(invalid());
                }
                return snap::raw::Decoder::new().decompress_vec(bytes).map_err(|_| invalid());
            }
            2 => flate2::read::MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out)?,
            6 => Frames::new(bytes).take(most).read_to_end(&mut out)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(out)
    }

    fn levels(&self, rest: &mut &[u8], most: u32, coding: Option<i64>, count: usize) -> io::Result<Vec<u32>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        if coding != Some(3) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let (length, bytes) = rest.split_first_chunk().ok_or_else(invalid)?;
        let (bytes, after) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(invalid)?;
        *rest = after;
        levels::hybrid(bytes, 32 - most.leading_zeros(), count).ok_or_else(invalid)
    }

    /// Values that stand one after another.
    fn plain(&self, mut bytes: &[u8], count: usize) -> io::Result<Cells> {
        let mut cells = Cells::default();
        for number in 0..count {
            let length = match self.described.kind {
                0 => {
                    let bit = (bytes.get(number / 8).ok_or_else(invalid)? >> (number % 8)) & 1;
                    cells.push(if bit == 1 { b"true" } else { b"false" });
                    continue;
                }
                1 | 4 => 4,
                2 | 5 => 8,
                3 => 12,
                6 => {
                    let (length, rest) = bytes.split_first_chunk().ok_or_else(invalid)?;
                    bytes = rest;
                    u32::from_le_bytes(*length) as usize
                }
                7 => self.described.length,
                _ => return Err(invalid()),
            };
            let (value, rest) = bytes.split_at_checked(length).ok_or_else(invalid)?;
            bytes = rest;
            match (self.described.kind, value.try_into(), value.try_into()) {
                (1, Ok(four), _) => cells.push(i32::from_le_bytes(four).to_string().as_bytes()),
                (4, Ok(four), _) => cells.push(f32::from_le_bytes(four).to_string().as_bytes()),
                (2, _, Ok(eight)) => cells.push(i64::from_le_bytes(eight).to_string().as_bytes()),
                (5, _, Ok(eight)) => cells.push(f64::from_le_bytes(eight).to_string().as_bytes()),
                _ => cells.push(value),
            }
        }
        Ok(cells)
    }
}

/// Lengths first, then all texts.
fn lengths(mut bytes: &[u8]) -> Option<Cells> {
    let lengths = levels::delta(&mut bytes)?;
    let mut cells = Cells::default();
    for length in lengths {
        let (value, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        cells.push(value);
        bytes = rest;
    }
    Some(cells)
}

/// How much each text has in common with the one before, then the rest of each.
fn prefixes(mut bytes: &[u8]) -> Option<Cells> {
    let alike = levels::delta(&mut bytes)?;
    let rests = lengths(bytes)?;
    let (mut cells, mut last) = (Cells::default(), Vec::new());
    for (number, alike) in alike.into_iter().enumerate() {
        last.truncate(usize::try_from(alike).ok().filter(|alike| *alike <= last.len())?);
        last.extend_from_slice(rests.get(number)?);
        cells.push(&last);
        if cells.text.len() as i64 > MOST_BYTES {
            return None;
        }
    }
    Some(cells)
}

fn counted(value: Option<i64>) -> io::Result<usize> {
    value.and_then(|value| usize::try_from(value).ok()).filter(|count| *count <= levels::MOST).ok_or_else(invalid)
}

pub(super) fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
