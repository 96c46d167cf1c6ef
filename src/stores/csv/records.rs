//! Cuts a CSV file into records without losing a byte: where each stands, how each field was quoted, how the line
//! ended. The `csv` crate reads values well, but tells none of these. It never decodes and never repairs.

use std::{
    borrow::Cow,
    io::{self, BufRead},
    ops::Range,
};

/// The longest record that is taken for one; a quote that is never closed would swallow the rest of the file.
pub const LONGEST: usize = 16 << 20;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Where it stands in the record's bytes, quotes included.
    pub span: Range<usize>,
    /// Whether it was quoted.
    pub quoted: bool,
}

/// One record, as its bytes stand in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// Offset of its first byte.
    pub start: u64,
    /// Line on which it starts, from 1.
    pub line: u64,
    /// All its bytes, with its line end.
    pub bytes: Vec<u8>,
    /// Length without the line end.
    pub body: usize,
    /// Its fields.
    pub cells: Vec<Cell>,
}

impl Raw {
    /// The record without its line end.
    pub fn body(&self) -> &[u8] {
        &self.bytes[..self.body]
    }

    /// Its line end; empty at the end of a file that has none.
    pub fn line_end(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Whether it is an empty line, which is no record.
    pub fn is_blank(&self) -> bool {
        self.body == 0
    }

    /// The value of a field, quotes undone.
    pub fn value(&self, cell: &Cell) -> Cow<'_, [u8]> {
        let bytes = &self.bytes[cell.span.clone()];
        if !cell.quoted {
            return Cow::Borrowed(bytes);
        }
        let inner = &bytes[1..];
        if let Some(end) = inner.iter().position(|&byte| byte == b'"')
            && end + 1 == inner.len()
        {
            return Cow::Borrowed(&inner[..end]);
        }
        let (mut value, mut at, mut open) = (Vec::with_capacity(inner.len()), 0, true);
        while at < inner.len() {
            match inner[at] {
                b'"' if open && inner.get(at + 1) == Some(&b'"') => {
                    value.push(b'"');
                    at += 1;
                }
                b'"' if open => open = false,
                byte => value.push(byte),
            }
            at += 1;
        }
        Cow::Owned(value)
    }
}

/// Why no further record can be cut.
#[derive(Debug)]
pub enum Flaw {
    /// The file could not be read.
    Io(io::Error),
    /// A quote opened in the record that starts on this line is never closed.
    OpenQuote { line: u64 },
    /// The record that starts on this line is longer than `LONGEST`.
    TooLong { line: u64 },
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// At the first byte of a field.
    Start,
    /// In a field without quotes, or behind a closed quote.
    Bare,
    Quoted,
    /// Behind a quote within quotes: the end of it, or the first of two.
    Closing,
    /// Behind a carriage return that ends the record.
    Return,
}

/// The records of a file, one after the other.
pub struct Records<R> {
    input: R,
    delimiter: u8,
    at: u64,
    line: u64,
}

impl<R: BufRead> Records<R> {
    /// Cuts `input` at `delimiter`.
    pub fn new(input: R, delimiter: u8) -> Self {
        Records { input, delimiter, at: 0, line: 1 }
    }

    /// Reads the next record into `raw`; false at the end.
    pub fn next(&mut self, raw: &mut Raw) -> Result<bool, Flaw> {
        raw.start = self.at;
        raw.line = self.line;
        raw.bytes.clear();
        raw.cells.clear();
        let mut state = State::Start;
        let mut quoted = false;
        let mut field = 0;
        let mut ended = false;
        while !ended {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Flaw::Io(error)),
            };
            if buffer.is_empty() {
                break;
            }
            let mut used = 0;
            for &byte in buffer {
                if state == State::Return {
                    // A line feed behind the carriage return belongs to the same line end.
                    if byte == b'\n' {
                        raw.bytes.push(byte);
                        used += 1;
                    }
                    ended = true;
                    break;
                }
                used += 1;
                let here = raw.bytes.len();
                raw.bytes.push(byte);
                if state == State::Quoted {
                    match byte {
                        b'"' => state = State::Closing,
                        b'\n' => self.line += 1,
                        _ => {}
                    }
                    continue;
                }
                match byte {
                    b'"' if state == State::Start => {
                        state = State::Quoted;
                        quoted = true;
                    }
                    b'"' if state == State::Closing => state = State::Quoted,
                    b'\n' | b'\r' => {
                        raw.body = here;
                        raw.cells.push(Cell { span: field..here, quoted });
                        if byte == b'\r' {
                            state = State::Return;
                        } else {
                            ended = true;
                            break;
                        }
                    }
                    byte if byte == self.delimiter => {
                        raw.cells.push(Cell { span: field..here, quoted });
                        field = here + 1;
                        quoted = false;
                        state = State::Start;
                    }
                    _ => state = State::Bare,
                }
            }
            self.input.consume(used);
            if raw.bytes.len() > LONGEST {
                return Err(Flaw::TooLong { line: raw.line });
            }
        }
        if raw.bytes.is_empty() {
            return Ok(false);
        }
        if !ended && state != State::Return {
            if state == State::Quoted {
                return Err(Flaw::OpenQuote { line: raw.line });
            }
            raw.body = raw.bytes.len();
            raw.cells.push(Cell { span: field..raw.body, quoted });
        }
        self.at += raw.bytes.len() as u64;
        if raw.body < raw.bytes.len() {
            self.line += 1;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8], delimiter: u8, buffer: usize) -> Result<Vec<Raw>, Flaw> {
        let mut records = Records::new(io::BufReader::with_capacity(buffer, text), delimiter);
        let (mut all, mut raw) = (Vec::new(), Raw::default());
        while records.next(&mut raw)? {
            all.push(raw.clone());
        }
        Ok(all)
    }

    #[test]
    fn tells_line_ends_quotes_and_lines() {
        let all = cut(b"a;\"b\r\nc\"\r\n\n\"x\"\"y\";z", b';', 3).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].line_end(), b"\r\n");
        assert_eq!(&*all[0].value(&all[0].cells[1]), b"b\r\nc");
        assert!(all[0].cells[1].quoted && !all[0].cells[0].quoted);
        assert!(all[1].is_blank());
        assert_eq!((all[2].line, all[2].line_end()), (4, &b""[..]));
        assert_eq!(&*all[2].value(&all[2].cells[0]), b"x\"y");
    }

    #[test]
    fn names_the_line_of_an_open_quote() {
        assert!(matches!(cut(b"a,b\n1,\"2\n3,4\n", b',', 64), Err(Flaw::OpenQuote { line: 2 })));
    }

    proptest! {
        #[test]
        fn loses_no_byte_and_reads_as_the_csv_crate_does(
            text in "[a\",;\r\n é]{0,60}", buffer in 1usize..9,
        ) {
            let Ok(all) = cut(text.as_bytes(), b',', buffer) else { return Ok(()) };
            let whole: Vec<u8> = all.iter().flat_map(|raw| raw.bytes.clone()).collect();
            prop_assert_eq!(&whole, text.as_bytes());
            let mut at = 0;
            for raw in &all {
                prop_assert_eq!(raw.start, at);
                at += raw.bytes.len() as u64;
            }
            let ours: Vec<Vec<Vec<u8>>> = all
                .iter()
                .filter(|raw| !raw.is_blank())
                .map(|raw| raw.cells.iter().map(|cell| raw.value(cell).into_owned()).collect())
                .collect();
            let theirs: Vec<Vec<Vec<u8>>> = ::csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes())
                .byte_records()
                .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
                .collect();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = cut(&bytes, b';', 7);
        }
    }
}
