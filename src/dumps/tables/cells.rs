//! What the layouts share when they split a row: unescaping, and the loose fields of a line of text.

use crate::dumps::tables::{CELLS, Cell};
use std::ops::Range;

/// A cell without a name.
pub(super) fn cell(place: usize, range: Range<usize>, value: &[u8]) -> Cell {
    Cell { name: None, place, range, value: String::from_utf8_lossy(value).into_owned() }
}

/// Undoes the backslashes of COPY and MySQL: `\t`, `\n`, `\N` for null, and a backslash before anything else.
pub(super) fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        text.extend(match bytes.next() {
            Some(b'n') => Some(b'\n'),
            Some(b't') => Some(b'\t'),
            Some(b'r') => Some(b'\r'),
            Some(b'0') => Some(0),
            other => other.copied(),
        });
    }
    text
}

/// Undoes a quote that is written twice, and backslashes where the dialect has them.
pub(super) fn unquoted(raw: &[u8], quote: u8, backslashes: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if backslashes && raw[at] == b'\\' {
            text.extend(unescaped(&raw[at..(at + 2).min(raw.len())]));
            at += 2;
        } else {
            text.push(raw[at]);
            at += if raw[at] == quote && raw.get(at + 1) == Some(&quote) { 2 } else { 1 };
        }
    }
    text
}

/// Bytes written as hexadecimal digits, if they are text.
pub(super) fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits).ok()?;
    std::str::from_utf8(&bytes).is_ok().then_some(bytes)
}

/// The words of a line that belongs to no table: `name: a@example.org | hash …`.
pub(super) fn of_line(line: &[u8]) -> Vec<Cell> {
    let separates = |byte: &u8| matches!(byte, b' ' | b'\t' | b':' | b';' | b',' | b'|' | b'"' | b'\'' | b'\r');
    let (mut cells, mut from) = (Vec::new(), 0);
    for at in (0..=line.len()).filter(|at| line.get(*at).is_none_or(separates)) {
        if at > from && cells.len() < CELLS {
            cells.push(cell(cells.len(), from..at, &line[from..at]));
        }
        from = at + 1;
    }
    cells
}
