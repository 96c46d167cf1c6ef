//! Tells what table a text is by its beginning.

use crate::dumps::tables::{Layout, Lines, Step, delimited::Delimited, json, json::Json, ldif::Ldif, sql::Sql};
use memchr::memmem;
use std::collections::BTreeSet;

/// Rows that are compared.
const COMPARED: usize = 20;

/// The layout of a text that begins so; `cut`: there is more of it.
pub(super) fn recognise(head: &[u8], cut: bool) -> Layout {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    of_json(text)
        .map(Layout::Json)
        .or_else(|| is_ldif(text).then(|| Layout::Ldif(Ldif::default())))
        .or_else(|| Sql::of(text).map(Layout::Sql))
        .or_else(|| delimited(text, cut).map(Layout::Delimited))
        .unwrap_or_else(|| Layout::Lines(Lines::default()))
}

fn of_json(text: &[u8]) -> Option<Json> {
    let text = text.trim_ascii_start();
    let inner = text.get(1..)?.trim_ascii_start();
    match (text[0], inner.first()?) {
        (b'[', b'{') => Some(Json::default()),
        (b'{', b'"') => {
            let whole = json::end_of_object(text, 0);
            let more = whole.map(|end| text[end..].trim_ascii_start());
            // One object that holds an array of objects is a wrapper around rows; others are rows.
            let alone = more.is_none_or(<[u8]>::is_empty);
            let object = &text[..whole.unwrap_or(text.len())];
            let holds_rows =
                memchr::memchr_iter(b'[', object).any(|at| object[at + 1..].trim_ascii_start().first() == Some(&b'{'));
            Some(Json::new(alone && holds_rows))
        }
        _ => None,
    }
}

fn is_ldif(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty() && line[0] != b'#');
    first.is_some_and(|line| line.starts_with(b"dn:") || line.starts_with(b"version: 1"))
        && (text.starts_with(b"dn:") || memmem::find(text, b"\ndn:").is_some())
}

fn delimited(text: &[u8], cut: bool) -> Option<Delimited> {
    [b';', b'\t', b'|', b',', b':'].into_iter().find_map(|delimiter| {
        let quotes = delimiter != b':';
        let backslashes = quotes && memmem::find(text, b"\\\"").is_some();
        let mut table = Delimited::new(delimiter, quotes, backslashes);
        let rows = first_rows(&table, text, cut);
        let fields: Vec<Vec<String>> = rows
            .iter()
            .map(|row| table.cells(row).into_iter().map(|cell| cell.value.trim().to_owned()).collect())
            .collect();
        let width = fields.first()?.len();
        let alike = fields.iter().filter(|row| row.len() == width).count();
        if width < 2 || fields.len() < 2 || alike * 100 < fields.len() * 85 {
            return None;
        }
        table.header = delimiter != b':' && is_header(&fields);
        Some(table)
    })
}

/// The first rows under this delimiter; the last one is left out where it may be cut.
fn first_rows<'a>(table: &Delimited, text: &'a [u8], cut: bool) -> Vec<&'a [u8]> {
    let mut table = table.clone();
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < text.len() && rows.len() < COMPARED {
        match table.step(text, at, !cut) {
            Step::Row { from, to, next } => {
                rows.push(&text[from..to]);
                at = next;
            }
            Step::Skip(next) | Step::Long(next) => at = next,
            Step::More => break,
        }
    }
    rows
}

/// Whether the first row names the columns: distinct short names, none of which is an address, a number, a date or a
/// digest, and no row below looks the same.
fn is_header(rows: &[Vec<String>]) -> bool {
    let first = &rows[0];
    let names: BTreeSet<&str> = first.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let named = |name: &str| {
        let digits = name.bytes().filter(u8::is_ascii_digit).count();
        name.chars().count() <= 64 && !name.contains('@') && digits <= 3 && name.chars().any(char::is_alphabetic)
    };
    // A first column without a name is that of row numbers.
    let empty = first.iter().filter(|name| name.is_empty()).count();
    let empty_allowed = usize::from(first[0].is_empty());
    names.len() + empty == first.len() && empty <= empty_allowed && names.iter().all(|name| named(name)) && {
        let telling = |text: &str| text.contains('@') || text.bytes().any(|byte| byte.is_ascii_digit());
        // Below a header stands something that no name is; where all is words, the first row is taken for one.
        let below =
            rows[1..].iter().any(|row| row.iter().zip(first).any(|(value, name)| telling(value) && !telling(name)));
        below || !first.iter().any(|name| telling(name))
    }
}
