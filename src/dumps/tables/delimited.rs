//! CSV and its kin: one delimiter, quotes around what holds it or a line break, perhaps a header. Combo lists too.

use crate::dumps::tables::{
    CELLS, Cell, Step,
    cells::{cell, unquoted},
};

/// One such table.
#[derive(Clone, Default)]
pub(super) struct Delimited {
    delimiter: u8,
    /// Whether a quote at a field's start is a quote, and no character of a password.
    quotes: bool,
    /// Whether a backslash before a quote makes it part of the value.
    backslashes: bool,
    /// Names of the columns, once the header was read; empty without one.
    names: Vec<String>,
    /// Whether the next row is the header.
    pub header: bool,
    /// Bytes in which quotes mean nothing, because one of them was never closed.
    unquoted: usize,
    /// In the middle of a row that was too long.
    within: bool,
}

impl Delimited {
    pub fn new(delimiter: u8, quotes: bool, backslashes: bool) -> Delimited {
        Delimited { delimiter, quotes, backslashes, ..Delimited::default() }
    }

    pub fn step(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        let line = match memchr::memchr(b'\n', &text[from..]) {
            Some(length) => from + length,
            None if last => text.len(),
            None => return Step::More,
        };
        if std::mem::take(&mut self.within) {
            return self.used(from, Step::Long((line + 1).min(text.len())));
        }
        let quoted = self.quotes && self.unquoted == 0 && memchr::memchr(b'"', &text[from..line]).is_some();
        let end = match if quoted { self.end_of_row(text, from, last) } else { Some(line) } {
            Some(end) => end,
            // Never closed: then it was no quote.
            None if last => line,
            None => return Step::More,
        };
        let next = (end + 1).min(text.len());
        if text[from..end].trim_ascii().is_empty() {
            return self.used(from, Step::Skip(next));
        }
        if std::mem::take(&mut self.header) {
            self.names = self.cells(&text[from..end]).into_iter().map(|cell| cell.value).collect();
            if let Some(name) = self.names.first_mut() {
                *name = name.trim_start_matches('\u{feff}').to_owned();
            }
            return self.used(from, Step::Skip(next));
        }
        self.used(from, Step::Row { from, to: end, next })
    }

    pub fn overflow(&mut self, text: &[u8], from: usize) -> Step {
        if memchr::memchr(b'\n', &text[from..]).is_some() {
            self.unquoted = text.len() - from;
            return self.step(text, from, false);
        }
        self.within = true;
        Step::Skip(text.len())
    }

    fn used(&mut self, from: usize, step: Step) -> Step {
        if let Step::Row { next, .. } | Step::Skip(next) | Step::Long(next) = step {
            self.unquoted = self.unquoted.saturating_sub(next - from);
        }
        step
    }

    /// Where the row that begins at `from` ends: at the first line end outside quotes.
    fn end_of_row(&self, text: &[u8], from: usize, last: bool) -> Option<usize> {
        let mut at = from;
        loop {
            if text.get(at) == Some(&b'"') {
                at = self.closing(text, at + 1)? + 1;
            }
            let found = memchr::memchr2(self.delimiter, b'\n', text.get(at..)?);
            at += found.unwrap_or(text.len() - at);
            match text.get(at) {
                None => return last.then_some(at),
                Some(b'\n') => return Some(at),
                Some(_) => at += 1,
            }
        }
    }

    /// Where the quote that was opened before `from` is closed.
    fn closing(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            at += memchr::memchr2(b'"', if self.backslashes { b'\\' } else { b'"' }, text.get(at..)?)?;
            if text[at] == b'\\' || text.get(at + 1) == Some(&b'"') {
                at += 2;
            } else {
                return Some(at);
            }
        }
    }

    /// The row's values.
    pub fn cells(&self, row: &[u8]) -> Vec<Cell> {
        let (mut cells, mut at) = (Vec::<Cell>::new(), 0);
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        while at <= row.len() && cells.len() < CELLS {
            let opened = self.quotes && row.get(at) == Some(&b'"');
            let closed = opened.then(|| self.closing(row, at + 1)).flatten();
            let behind = closed.map_or(at, |closed| closed + 1);
            let end = memchr::memchr(self.delimiter, &row[behind..]).map_or(row.len(), |length| behind + length);
            let place = cells.len();
            let mut made = match closed {
                Some(closed) => cell(place, at..end, &unquoted(&row[at + 1..closed], b'"', self.backslashes)),
                None => cell(place, at..end, &row[at..end]),
            };
            made.name = self.names.get(place).filter(|name| !name.is_empty()).cloned();
            cells.push(made);
            at = end + 1;
        }
        cells
    }
}
