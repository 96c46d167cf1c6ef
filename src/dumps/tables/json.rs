//! JSON: an object a line, an array of objects, or objects in an array somewhere within one.

use crate::dumps::tables::{CELLS, Cell, Step};
use std::ops::Range;

/// How deep the values of a row are named.
const DEEPEST: usize = 8;

/// Such a text.
#[derive(Clone, Default)]
pub(super) struct Json {
    /// Whether the rows stand in an array within an object: what stands outside one is no row.
    wrapped: bool,
    /// Arrays that are open.
    arrays: u32,
}

impl Json {
    pub fn new(wrapped: bool) -> Json {
        Json { wrapped, arrays: 0 }
    }

    pub fn step(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        let mut at = from;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'[' => self.arrays = self.arrays.saturating_add(1),
                b']' => self.arrays = self.arrays.saturating_sub(1),
                b'"' => match end_of_string(text, at) {
                    Some(end) => at = end - 1,
                    None if at > from && !last => return Step::Skip(at),
                    None => return Step::More,
                },
                b'{' if !self.wrapped || self.arrays > 0 => {
                    return match end_of_object(text, at) {
                        Some(end) => Step::Row { from: at, to: end, next: end },
                        None if at > from && !last => Step::Skip(at),
                        None => Step::More,
                    };
                }
                _ => {}
            }
            at += 1;
        }
        Step::Skip(at)
    }
}

/// Behind the string whose quote stands at `from`.
fn end_of_string(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Behind the object whose brace stands at `from`.
pub(super) fn end_of_object(text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0u32);
    loop {
        at += memchr::memchr3(b'"', b'{', b'}', text.get(at..)?)?;
        match text[at] {
            b'"' => {
                at = end_of_string(text, at)?;
                continue;
            }
            b'{' => depth += 1,
            _ => depth -= 1,
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Every text, number and word of an object, named by its path: `address.city`. Members of an array share a name.
pub(super) fn cells(row: &[u8]) -> Vec<Cell> {
    let mut cells = Vec::new();
    // The name at each open level; none within an array.
    let mut path: Vec<Option<String>> = Vec::new();
    let (mut at, mut depth) = (0, 0usize);
    while at < row.len() && cells.len() < CELLS {
        let byte = row[at];
        let mut end = at + 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth <= DEEPEST {
                    path.push(None);
                }
            }
            b'}' | b']' => {
                if depth <= DEEPEST {
                    path.pop();
                }
                depth = depth.saturating_sub(1);
            }
            b'"' => {
                let Some(behind) = end_of_string(row, at) else { break };
                end = behind;
                let text = decoded(&row[at..end]);
                if row[end..].trim_ascii_start().first() == Some(&b':') {
                    if let Some(level) = depth.checked_sub(1).and_then(|level| path.get_mut(level)) {
                        *level = Some(text);
                    }
                } else {
                    cells.push(named(&path, cells.len(), at..end, text));
                }
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'-' => {
                let stop = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                end = row[at..].iter().position(stop).map_or(row.len(), |length| at + length);
                let word = String::from_utf8_lossy(&row[at..end]).into_owned();
                let value = if word == "null" { String::new() } else { word };
                cells.push(named(&path, cells.len(), at..end, value));
            }
            _ => {}
        }
        at = end;
    }
    cells
}

fn named(path: &[Option<String>], place: usize, range: Range<usize>, value: String) -> Cell {
    let name = path.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".");
    Cell { name: (!name.is_empty()).then_some(name), place, range, value }
}

/// A string's meaning; as it stands where it is no good JSON.
fn decoded(quoted: &[u8]) -> String {
    serde_json::from_slice(quoted)
        .unwrap_or_else(|_| String::from_utf8_lossy(&quoted[1..quoted.len().max(2) - 1]).into_owned())
}
