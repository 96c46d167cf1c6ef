//! LDIF, as directories are exported: an entry a paragraph, an attribute a line, long lines folded, base64 after `::`.

use crate::dumps::tables::{CELLS, Cell, Step};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Such a text.
#[derive(Clone, Default)]
pub(super) struct Ldif {
    /// In the middle of an entry that was too long.
    within: bool,
}

impl Ldif {
    pub fn step(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        // An entry ends at an empty line.
        let mut at = from;
        let (end, next) = loop {
            match memchr::memchr(b'\n', &text[at..]) {
                None if last => break (text.len(), text.len()),
                None => return Step::More,
                Some(length) => {
                    let line_end = at + length + 1;
                    if text[at..line_end].trim_ascii().is_empty() {
                        break (at, line_end);
                    }
                    at = line_end;
                }
            }
        };
        let entry = &text[from..end];
        let named = entry.starts_with(b"dn:") || memchr::memmem::find(entry, b"\ndn:").is_some();
        match (std::mem::take(&mut self.within), named) {
            (true, _) => Step::Long(next),
            (false, true) => Step::Row { from, to: end, next },
            (false, false) => Step::Skip(next),
        }
    }

    pub fn overflow(&mut self, text: &[u8]) -> Step {
        self.within = true;
        Step::Skip(text.len())
    }
}

/// The attributes of an entry, in their order.
pub(super) fn cells(entry: &[u8]) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut at = 0;
    while at < entry.len() && cells.len() < CELLS {
        let mut line = Vec::new();
        let from = at;
        // A line that begins with a space goes on with the one before.
        loop {
            let end = memchr::memchr(b'\n', &entry[at..]).map_or(entry.len(), |length| at + length);
            let skipped = usize::from(!line.is_empty() || at > from).min(end - at);
            line.extend_from_slice(entry[at + skipped..end].strip_suffix(b"\r").unwrap_or(&entry[at + skipped..end]));
            at = (end + 1).min(entry.len());
            if at >= entry.len() || entry[at] != b' ' {
                break;
            }
        }
        let Some(colon) = memchr::memchr(b':', &line).filter(|_| line[0] != b'#') else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let value = match value.strip_prefix(b":") {
            Some(encoded) => STANDARD.decode(encoded.trim_ascii()).unwrap_or_else(|_| encoded.trim_ascii().to_vec()),
            None => value.trim_ascii().to_vec(),
        };
        cells.push(Cell {
            name: Some(String::from_utf8_lossy(name).into_owned()),
            place: cells.len(),
            range: from..at,
            value: String::from_utf8_lossy(&value).into_owned(),
        });
    }
    cells
}
