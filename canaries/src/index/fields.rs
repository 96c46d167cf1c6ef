//! Finds passwords that hold delimiters: whole fields of CSV, SQL, JSON, HTML, combo lists and key-value lines, as
//! they stand and with their quoting undone.

use super::{escapes::Flavour, scan::Search};
use crate::marker::MarkerKind;
use memchr::{memchr_iter, memchr2};

/// The longest field, in bytes as written.
pub(super) const LONGEST: usize = 128;
/// The shortest and longest password that is looked for.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=64;

/// Where a field begins and ends: the two may be the same byte, and a line's end closes those that say so.
struct Layout {
    open: u8,
    close: u8,
    /// Whether the line's ends count as such delimiters too.
    line: bool,
}

const fn layout(open: u8, close: u8, line: bool) -> Layout {
    Layout { open, close, line }
}

const LAYOUTS: [Layout; 15] = [
    layout(b',', b',', true),
    layout(b';', b';', true),
    layout(b'\t', b'\t', true),
    layout(b'|', b'|', true),
    layout(b':', b':', true),
    layout(b' ', b' ', true),
    layout(b':', b'\n', true),
    layout(b':', b',', true),
    layout(b':', b';', true),
    layout(b':', b'|', true),
    layout(b':', b'\t', true),
    layout(b':', b' ', true),
    layout(b'=', b'\n', true),
    layout(b'=', b'&', true),
    layout(b'>', b'<', false),
];

pub(super) fn find(search: &mut Search<'_>) {
    let text = search.text;
    for quote in [b'"', b'\'', b'`'] {
        for at in memchr_iter(quote, text) {
            find_quoted(search, quote, at + 1);
        }
    }
    let (mut start, mut fields) = (0, Vec::new());
    while start < text.len() {
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
        let line_end = if text[start..end].ends_with(b"\r") { end - 1 } else { end };
        for layout in &LAYOUTS {
            find_delimited(text, layout, start, line_end, &mut fields);
        }
        // Several layouts cut the same field out of most lines.
        fields.sort_unstable();
        fields.dedup();
        fields.drain(..).for_each(|(from, to)| try_field(search, from, to, None));
        start = end + 1;
    }
}

/// Tries the fields that begin in this range of places.
pub(super) fn find_around(search: &mut Search<'_>, from: usize, to: usize) {
    let text = search.text;
    let mut fields = Vec::new();
    for start in from..(to + 1).min(text.len()) {
        let before = start.checked_sub(1).map(|before| text[before]);
        if let Some(quote @ (b'"' | b'\'' | b'`')) = before {
            find_quoted(search, quote, start);
        }
        let first = before.is_none_or(|before| before == b'\n');
        let opened =
            |layout: &&Layout| before == Some(layout.open) || (first && layout.line && layout.open == layout.close);
        for layout in LAYOUTS.iter().filter(opened) {
            let (line_end, seen) = line_end(text, start);
            let within = &text[start..line_end.min(start + LONGEST)];
            let end = match memchr::memchr(layout.close, within) {
                Some(length) => start + length,
                None if layout.line && seen && line_end - start <= LONGEST => line_end,
                None => continue,
            };
            if end - start >= *LENGTHS.start() {
                fields.push((start, end));
            }
        }
    }
    fields.sort_unstable();
    fields.dedup();
    fields.into_iter().for_each(|(from, to)| try_field(search, from, to, None));
}

/// The end of the line in which a field begins, without its carriage return, and whether it is near enough to be seen.
fn line_end(text: &[u8], start: usize) -> (usize, bool) {
    let most = text.len().min(start + LONGEST + 2);
    let found = memchr::memchr(b'\n', &text[start..most]).map(|length| start + length);
    let end = found.unwrap_or(most);
    let seen = found.is_some() || most == text.len();
    (if seen && text[start..end].ends_with(b"\r") { end - 1 } else { end }, seen)
}

/// Tries what stands between a quote and each of the next ones that may close it.
fn find_quoted(search: &mut Search<'_>, quote: u8, start: usize) {
    let text = &search.text[..search.text.len().min(start + LONGEST)];
    let mut at = start;
    let mut closings = 0;
    while let Some(found) = memchr2(quote, b'\\', &text[at..]).map(|length| at + length) {
        let doubled = text.get(found + 1) == Some(&quote);
        if text[found] == b'\\' {
            at = (found + 2).min(text.len());
        } else if doubled && found > start {
            at = found + 2;
        } else {
            try_field(search, start, found, Some(quote));
            return;
        }
        closings += 1;
        if closings > 16 {
            return;
        }
    }
}

/// Gathers every field of this layout in a line.
fn find_delimited(text: &[u8], layout: &Layout, from: usize, to: usize, fields: &mut Vec<(usize, usize)>) {
    let line = &text[from..to];
    let opens = memchr_iter(layout.open, line).map(|at| from + at + 1);
    let first = (layout.line && layout.open == layout.close).then_some(from);
    for start in first.into_iter().chain(opens) {
        let within = &text[start..to.min(start + LONGEST)];
        let end = match memchr::memchr(layout.close, within) {
            Some(length) => start + length,
            None if layout.line && to - start <= LONGEST => to,
            None => continue,
        };
        if end - start >= *LENGTHS.start() {
            fields.push((start, end));
        }
    }
}

/// Tries a field as it stands, without the blanks around it, and as its quoting means it.
fn try_field(search: &mut Search<'_>, start: usize, end: usize, quote: Option<u8>) {
    let text = search.text;
    let field = &text[start..end];
    // A field without delimiters is a word, and words are tried elsewhere.
    if field.len() < *LENGTHS.start()
        || field.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    {
        return;
    }
    try_password(search, field, start, end);
    let trimmed_start = start + field.len() - field.trim_ascii_start().len();
    let trimmed = field.trim_ascii();
    if quote.is_none() && trimmed.len() < field.len() {
        try_password(search, trimmed, trimmed_start, trimmed_start + trimmed.len());
    }
    if let Some(quote) = quote.filter(|quote| field.contains(quote)) {
        let mut undoubled = Vec::with_capacity(field.len());
        let mut bytes = field.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            undoubled.push(byte);
            if byte == quote {
                bytes.next_if_eq(&quote);
            }
        }
        try_password(search, &undoubled, start, end);
    }
    for flavour in Flavour::within(field) {
        let decoded = flavour.decode(text, start, end).bytes;
        if decoded != field {
            try_password(search, &decoded, start, end);
        }
    }
}

fn try_password(search: &mut Search<'_>, password: &[u8], start: usize, end: usize) {
    if LENGTHS.contains(&password.len()) {
        search.try_plain(MarkerKind::Password, password, start, end);
    }
}
