//! Writes a new row as the file's own rows are written: which columns are quoted, what stands where nothing is given.
//! It counts what it sees and never copies what may be a person's.

use crate::stores::{
    csv::{encoding::Encoding, records::Raw},
    store::{CODES, usual_code},
};
use std::collections::{HashMap, HashSet};

/// What is remembered of one column while the rows are read.
pub struct ColumnNotes {
    quoted: u64,
    bare: u64,
    quoted_empty: u64,
    bare_empty: u64,
    /// How often each value stood there; none once they are too many to be codes.
    codes: Option<HashMap<Vec<u8>, u64>>,
    /// The numbers that stood there; none once one stood twice, or something else.
    numbers: Option<Numbers>,
}

#[derive(Default)]
struct Numbers {
    seen: HashSet<u64>,
    count: u64,
    largest: u64,
    smallest: u64,
    width: usize,
}

const REMEMBERED: usize = 1 << 18;

impl Default for ColumnNotes {
    fn default() -> Self {
        ColumnNotes {
            quoted: 0,
            bare: 0,
            quoted_empty: 0,
            bare_empty: 0,
            codes: Some(HashMap::new()),
            numbers: Some(Numbers::default()),
        }
    }
}

impl ColumnNotes {
    /// Looks at one field of a row.
    pub fn see(&mut self, quoted: bool, value: &[u8], delimiter: u8) {
        if value.is_empty() {
            *(if quoted { &mut self.quoted_empty } else { &mut self.bare_empty }) += 1;
        } else if !needs_quotes(value, delimiter) {
            *(if quoted { &mut self.quoted } else { &mut self.bare }) += 1;
        }
        if let Some(codes) = &mut self.codes {
            if let Some(count) = codes.get_mut(value) {
                *count += 1;
            } else if codes.len() < CODES {
                codes.insert(value.to_vec(), 1);
            } else {
                self.codes = None;
            }
        }
        if let Some(numbers) = &mut self.numbers
            && !numbers.see(value)
        {
            self.numbers = None;
        }
    }

    /// What stands in this column of a new row for which nothing is given: a code that most rows share, the next of
    /// the file's running numbers (`nth` counts the new rows), else nothing.
    pub fn usual(&self, nth: u64) -> Vec<u8> {
        if let Some(next) = self.numbers.as_ref().and_then(|numbers| numbers.next(nth)) {
            return next;
        }
        self.codes.as_ref().and_then(usual_code).unwrap_or_default()
    }

    /// The field as this column writes it.
    pub fn quote(&self, value: &[u8], delimiter: u8, only: bool) -> Vec<u8> {
        let usual = if value.is_empty() {
            // A row that is one empty field would read as an empty line.
            only || self.quoted_empty > self.bare_empty
                || (self.quoted_empty + self.bare_empty == 0 && self.quoted > self.bare)
        } else {
            self.quoted > self.bare
        };
        field(value, usual, delimiter)
    }
}

/// A field with quotes, or without them where it can be.
pub fn field(value: &[u8], quoted: bool, delimiter: u8) -> Vec<u8> {
    if !quoted && !needs_quotes(value, delimiter) {
        return value.to_vec();
    }
    let mut field = Vec::with_capacity(value.len() + 2);
    field.push(b'"');
    for &byte in value {
        if byte == b'"' {
            field.push(b'"');
        }
        field.push(byte);
    }
    field.push(b'"');
    field
}

impl Numbers {
    fn see(&mut self, value: &[u8]) -> bool {
        let number = match std::str::from_utf8(value) {
            Ok(text) if value.len() <= 9 && value.iter().all(u8::is_ascii_digit) => text.parse::<u64>().ok(),
            _ => None,
        };
        let Some(number) = number else { return false };
        if self.seen.len() < REMEMBERED && !self.seen.insert(number) {
            return false;
        }
        self.smallest = if self.count == 0 { number } else { self.smallest.min(number) };
        self.largest = self.largest.max(number);
        self.width = self.width.max(value.len());
        self.count += 1;
        true
    }

    /// Only for numbers that run: those with wide gaps may be phones or other people's numbers.
    fn next(&self, nth: u64) -> Option<Vec<u8>> {
        let runs = self.count >= 5 && self.largest - self.smallest <= 20 * self.count + 100;
        runs.then(|| format!("{:0width$}", self.largest + 1 + nth, width = self.width).into_bytes())
    }
}

fn needs_quotes(value: &[u8], delimiter: u8) -> bool {
    value.iter().any(|&byte| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n'))
        || value.first().is_some_and(u8::is_ascii_whitespace)
        || value.last().is_some_and(u8::is_ascii_whitespace)
}

/// The notes of all columns, and what a file without rows tells: how its header is quoted.
pub fn notes(header: &Raw, delimiter: u8) -> Vec<ColumnNotes> {
    header
        .cells
        .iter()
        .map(|cell| {
            let value = header.value(cell);
            let needless = !needs_quotes(&value, delimiter);
            ColumnNotes { quoted: u64::from(cell.quoted && needless), ..ColumnNotes::default() }
        })
        .collect()
}

/// One row, without its line end. `values` has one value or none for each column; on failure the column whose value
/// the encoding cannot write.
pub fn row(
    values: &[Option<&str>],
    notes: &[ColumnNotes],
    encoding: Encoding,
    delimiter: u8,
    nth: u64,
) -> Result<Vec<u8>, usize> {
    let mut line = Vec::new();
    for (index, (value, notes)) in values.iter().zip(notes).enumerate() {
        if index > 0 {
            line.push(delimiter);
        }
        let value = match value {
            Some(value) => encoding.encode(value).ok_or(index)?,
            None => notes.usual(nth),
        };
        line.extend(notes.quote(&value, delimiter, values.len() == 1));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[(bool, &str)]) -> ColumnNotes {
        let mut notes = ColumnNotes::default();
        for (quoted, value) in values {
            notes.see(*quoted, value.as_bytes(), b',');
        }
        notes
    }

    #[test]
    fn quotes_as_the_column_does() {
        let bare = seen(&[(false, "a"), (true, "b,c"), (true, "d,e")]);
        assert_eq!(bare.quote(b"x", b',', false), b"x");
        assert_eq!(bare.quote(b"x\"y", b',', false), b"\"x\"\"y\"");
        assert_eq!(bare.quote(b"", b',', true), b"\"\"");
        let quoted = seen(&[(true, "a"), (true, "b"), (false, "")]);
        assert_eq!(quoted.quote(b"x", b',', false), b"\"x\"");
        assert_eq!(quoted.quote(b"", b',', false), b"");
    }

    #[test]
    fn fills_codes_and_running_numbers_and_no_persons() {
        let codes: Vec<(bool, &str)> = (0..40).map(|n| (false, if n % 3 == 0 { "CDD" } else { "CDI" })).collect();
        assert_eq!(seen(&codes).usual(0), b"CDI");
        let numbers: Vec<String> = (100..130).map(|n| format!("{n:06}")).collect();
        let numbers: Vec<(bool, &str)> = numbers.iter().map(|n| (false, n.as_str())).collect();
        assert_eq!(seen(&numbers).usual(2), b"000132");
        let phones: Vec<String> = (0..30).map(|n| format!("{}", 601_020_304 + n * 7_654_321)).collect();
        let phones: Vec<(bool, &str)> = phones.iter().map(|n| (false, n.as_str())).collect();
        assert_eq!(seen(&phones).usual(0), b"");
        let names = ["Dupont", "Martin", "Bernard", "Petit", "Robert", "Richard"];
        let names: Vec<(bool, &str)> = (0..90).map(|n| (false, names[n % 6])).collect();
        assert_eq!(seen(&names).usual(0), b"");
    }
}
