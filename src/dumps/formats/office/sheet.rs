//! Worksheets of a workbook: each row a line, its cells apart, what they share resolved.

use crate::dumps::drawn;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::io::{self, BufRead};

/// Cells that are left out are filled up to this many in a row.
const MOST_MISSING: usize = 64;
/// The most columns a sheet has.
const COLUMNS: usize = 16_384;

/// The strings that the sheets of a workbook share.
#[derive(Default)]
pub(super) struct Shared {
    text: Vec<u8>,
    ends: Vec<usize>,
    used: Vec<bool>,
}

impl Shared {
    /// Reads them, no more than fits in so many bytes; false if there were more.
    pub fn read(&mut self, source: impl BufRead, most: usize) -> io::Result<bool> {
        let mut reader = reader(source);
        let (mut buffer, mut within, mut phonetic) = (Vec::new(), false, false);
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer).map_err(|_| malformed())? {
                Event::Eof => return Ok(true),
                Event::Start(element) => match element.local_name().as_ref() {
                    "t" => within = true,
                    "rPh" => phonetic = true,
                    _ => {}
                },
                Event::End(element) => match element.local_name().as_ref() {
                    "t" => within = false,
                    "rPh" => phonetic = false,
                    "si" => {
                        self.ends.push(self.text.len());
                        self.used.push(false);
                        if self.text.len() + self.ends.len() * 9 > most {
                            return Ok(false);
                        }
                    }
                    _ => {}
                },
                event if within && !phonetic => super::xml::append_text(&event, &mut self.text),
                _ => {}
            }
        }
    }

    fn get(&mut self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)?;
        self.used[number] = true;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    /// Those that no cell names, a line each.
    pub fn unused(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        for number in 0..self.ends.len() {
            if !self.used[number]
                && let Some(text) = self.get(number)
            {
                lines.extend_from_slice(text);
                lines.push(b'\n');
            }
        }
        lines
    }
}

/// A sheet on its way to rows.
pub(super) struct Sheet<'a, R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    shared: &'a mut Shared,
    cells: Vec<Vec<u8>>,
    /// Where in the row the open cell stands, and how its value is to be taken.
    cell: Option<(usize, Kind)>,
    value: Vec<u8>,
    within: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Shared,
    Text,
    Number,
}

impl<'a, R: BufRead> Sheet<'a, R> {
    pub fn new(source: R, shared: &'a mut Shared) -> Self {
        Sheet {
            reader: reader(source),
            buffer: Vec::new(),
            shared,
            cells: Vec::new(),
            cell: None,
            value: Vec::new(),
            within: false,
        }
    }

    /// Appends the next row; false at the end.
    pub fn next(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            self.buffer.clear();
            match self.reader.read_event_into(&mut self.buffer).map_err(|_| malformed())? {
                Event::Eof => return Ok(false),
                Event::Start(element) => match element.local_name().as_ref() {
                    "row" => self.cells.clear(),
                    "c" => {
                        self.cell = Some(place(&element, self.cells.len()));
                        self.value.clear();
                    }
                    "v" | "t" => self.within = self.cell.is_some(),
                    // What stands outside of cells: headers and footers.
                    "oddHeader" | "oddFooter" | "f" => self.within = true,
                    _ => {}
                },
                Event::Empty(element) if element.local_name().as_ref() == "hyperlink" => {
                    // The target stands in the relations; what is shown may stand here.
                    for attribute in element.attributes().flatten() {
                        text.extend_from_slice(attribute.value.as_bytes());
                        text.push(b'\t');
                    }
                    text.push(b'\n');
                    return Ok(true);
                }
                Event::End(element) => match element.local_name().as_ref() {
                    "v" | "t" => self.within = false,
                    "oddHeader" | "oddFooter" | "f" => {
                        self.within = false;
                        if self.cell.is_none() {
                            self.value.push(b'\n');
                            text.append(&mut self.value);
                            return Ok(true);
                        }
                        // A formula's own text is kept where it holds more than references.
                        if !self.value.contains(&b'"') {
                            self.value.clear();
                        } else {
                            self.value.push(b' ');
                        }
                    }
                    "c" => self.end_cell(),
                    "row" => {
                        drawn::row(text, self.cells.iter().map(Vec::as_slice));
                        self.cells.clear();
                        return Ok(true);
                    }
                    _ => {}
                },
                event if self.within => super::xml::append_text(&event, &mut self.value),
                _ => {}
            }
        }
    }

    fn end_cell(&mut self) {
        let Some((place, kind)) = self.cell.take() else { return };
        let value = match kind {
            Kind::Text => std::mem::take(&mut self.value),
            Kind::Number => whole(std::mem::take(&mut self.value)),
            Kind::Shared => {
                let number = std::str::from_utf8(&self.value).ok().and_then(|text| text.trim().parse().ok());
                number.and_then(|number| self.shared.get(number)).map_or_else(Vec::new, <[u8]>::to_vec)
            }
        };
        while self.cells.len() < place.min(COLUMNS) && place - self.cells.len() <= MOST_MISSING {
            self.cells.push(Vec::new());
        }
        self.cells.push(value);
    }
}

/// Which column a cell stands in (`AB12`), else the next, and what kind it is.
fn place(cell: &BytesStart<'_>, next: usize) -> (usize, Kind) {
    let (mut column, mut kind) = (next, Kind::Number);
    for attribute in cell.attributes().flatten() {
        let value: &str = attribute.value.as_ref();
        match attribute.key.local_name().as_ref() {
            "r" => {
                let letters = value.bytes().take_while(u8::is_ascii_uppercase).take(3);
                let number = letters.fold(0, |sum, letter| sum * 26 + usize::from(letter - b'A') + 1);
                column = number.checked_sub(1).unwrap_or(next);
            }
            "t" => {
                kind = match value {
                    "s" => Kind::Shared,
                    "inlineStr" | "str" | "e" | "d" => Kind::Text,
                    _ => Kind::Number,
                }
            }
            _ => {}
        }
    }
    (column, kind)
}

/// A number written with an exponent as its digits, where it is whole: telephones and accounts are kept so.
fn whole(value: Vec<u8>) -> Vec<u8> {
    let exact = || {
        let text = std::str::from_utf8(&value).ok().filter(|text| text.contains(['E', 'e']))?;
        let number: f64 = text.trim().parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then(|| format!("{number:.0}").into_bytes())
    };
    exact().unwrap_or(value)
}

fn reader<R: BufRead>(source: R) -> Reader<R> {
    let mut reader = Reader::from_reader(source);
    reader.config_mut().check_end_names = false;
    reader
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_as_rows() {
        let strings = "<sst><si><t>name</t></si><si><r><t>ali</t></r><r><t>ce&#64;x.org</t></r><rPh><t>no</t></rPh></si>\
                       <si><t>left over</t></si></sst>";
        let mut shared = Shared::default();
        assert!(shared.read(strings.as_bytes(), 1 << 20).unwrap());
        let sheet = "<worksheet><sheetData><row r='1'><c r='A1' t='s'><v>0</v></c><c r='C1' t='inlineStr'><is><t>a\"b</t></is></c>\
                     </row><row r='2'><c t='s'><v>1</v></c><c r='B2'><v>6.12345678E8</v></c><c t='s'><v>99</v></c></row>\
                     </sheetData></worksheet>";
        let mut text = Vec::new();
        let mut sheet = Sheet::new(sheet.as_bytes(), &mut shared);
        while sheet.next(&mut text).unwrap() {}
        assert_eq!(String::from_utf8_lossy(&text), "name\t\t\"a\"\"b\"\nalice@x.org\t612345678\t\n");
        assert_eq!(shared.unused(), b"left over\n");
    }
}
