//! What stands before the rows of an SQL dump: INSERT up to its VALUES, COPY up to its lines, and CREATE TABLE, which
//! names the columns for inserts that do not.

use crate::dumps::tables::sql::end_of_string;
use std::collections::HashMap;

/// So many tables and columns are remembered.
const TABLES: usize = 1_000;
const COLUMNS: usize = 2_000;

/// One statement, as far as rows go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Nothing to do with rows.
    Blank,
    /// Its tuples follow.
    Insert {
        table: String,
        columns: Vec<String>,
    },
    /// Its lines follow, from the next line on.
    Copy {
        table: String,
        columns: Vec<String>,
    },
    Create {
        table: String,
        columns: Vec<String>,
    },
}

/// The columns of tables.
#[derive(Clone, Default)]
pub(super) struct Schemas(HashMap<String, Vec<String>>);

impl Schemas {
    pub fn learn(&mut self, table: String, columns: Vec<String>) {
        if self.0.len() < TABLES && columns.len() <= COLUMNS {
            self.0.insert(table.to_lowercase(), columns);
        }
    }

    pub fn columns(&self, table: &str) -> Vec<String> {
        self.0.get(&table.to_lowercase()).cloned().unwrap_or_default()
    }
}

/// Reads the statement, or comment, or what else stands at `from`; none: its end is not in sight.
pub(super) fn end_of_head(text: &[u8], from: usize, backslashes: bool) -> Option<(Head, usize)> {
    let mut start = from;
    let mut depth = 0u32;
    let mut at = from;
    // The first word of the statement.
    let mut first: Option<&[u8]> = None;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\'' | b'"' | b'`' => {
                at = end_of_string(text, at, backslashes)?;
                continue;
            }
            b'-' if text.get(at + 1) == Some(&b'-') => {
                at += memchr::memchr(b'\n', &text[at..])? + 1;
                if first.is_none() {
                    return Some((Head::Blank, at));
                }
                continue;
            }
            b'#' | b'\\' if first.is_none() => {
                return Some((Head::Blank, at + memchr::memchr(b'\n', &text[at..])? + 1));
            }
            b'/' if text.get(at + 1) == Some(&b'*') => {
                at += memchr::memmem::find(&text[at..], b"*/")? + 2;
                continue;
            }
            b'$' => {
                at = end_of_dollars(text, at)?;
                continue;
            }
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return Some((statement(&text[start..at], first), at + 1)),
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let length = text[at..].iter().take_while(|byte| is_word(**byte)).count();
                let word = &text[at..at + length];
                let bears = ["INSERT", "REPLACE", "COPY", "CREATE"].iter().any(|name| is(word, name));
                // A statement may end without a semicolon: SQL Server's GO.
                if first.is_none() || (bears && depth == 0 && begins_line(text, at)) {
                    (first, start) = (Some(word), at);
                }
                let insert = first.is_some_and(|first| is(first, "INSERT") || is(first, "REPLACE"));
                if insert && depth == 0 && (is(word, "VALUES") || is(word, "VALUE")) {
                    if at + length == text.len() {
                        return None;
                    }
                    let (table, columns) = target(&text[start..at], "INTO");
                    return Some((Head::Insert { table, columns: named(columns) }, at + length));
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn begins_line(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().find(|byte| !matches!(**byte, b' ' | b'\t')).is_none_or(|byte| *byte == b'\n')
}

/// Behind a dollar-quoted body; behind the dollar, if it is none.
fn end_of_dollars(text: &[u8], at: usize) -> Option<usize> {
    let length = text[at + 1..].iter().take(64).take_while(|byte| is_word(**byte)).count();
    if text.get(at + 1 + length) != Some(&b'$') {
        return Some(at + 1);
    }
    let mark = &text[at..at + length + 2];
    let body = at + mark.len();
    memchr::memmem::find(&text[body..], mark).map(|found| body + found + mark.len())
}

/// What a statement that ended at its semicolon means.
fn statement(text: &[u8], first: Option<&[u8]>) -> Head {
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(4).collect();
    match first {
        Some(first) if is(first, "COPY") && text.to_ascii_lowercase().windows(10).any(|part| part == b"from stdin") => {
            let (table, columns) = target(text, "COPY");
            Head::Copy { table, columns: named(columns) }
        }
        Some(first) if is(first, "CREATE") && words.iter().any(|word| is(word, "TABLE")) => {
            let (table, columns) = target(text, "TABLE");
            Head::Create { table, columns: named(columns.into_iter().filter(is_column).collect()) }
        }
        _ => Head::Blank,
    }
}

/// Whether an item of CREATE TABLE names a column, and no constraint.
fn is_column((name, quoted): &(String, bool)) -> bool {
    const OTHERS: [&str; 11] = [
        "PRIMARY",
        "KEY",
        "UNIQUE",
        "CONSTRAINT",
        "FOREIGN",
        "CHECK",
        "INDEX",
        "FULLTEXT",
        "SPATIAL",
        "EXCLUDE",
        "LIKE",
    ];
    *quoted || !OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

fn named(columns: Vec<(String, bool)>) -> Vec<String> {
    columns.into_iter().map(|(name, _)| name).collect()
}

/// The table named behind this word, and the first name of each item between the brackets that follow it, with whether
/// it stood in quotes.
fn target(text: &[u8], behind: &str) -> (String, Vec<(String, bool)>) {
    let mut names = Names { text, at: 0 };
    let mut table = String::new();
    let mut seen = false;
    let mut columns = Vec::new();
    while let Some(part) = names.next() {
        match part {
            Part::Name(name, false) if !seen && name.eq_ignore_ascii_case(behind) => seen = true,
            // Without INTO the table follows the first word: `INSERT [dbo].[t]`.
            Part::Name(name, false)
                if ["IF", "NOT", "EXISTS", "ONLY", "INSERT", "REPLACE", "IGNORE", "INTO", "TABLE"]
                    .iter()
                    .any(|word| name.eq_ignore_ascii_case(word)) => {}
            // The last part of `schema.table`.
            Part::Name(name, _) => table = name,
            Part::Open => {
                columns = names.columns();
                break;
            }
            Part::Other => {}
        }
    }
    (table, columns)
}

enum Part {
    /// A name, and whether it stood in quotes.
    Name(String, bool),
    Open,
    Other,
}

struct Names<'a> {
    text: &'a [u8],
    at: usize,
}

impl Names<'_> {
    fn next(&mut self) -> Option<Part> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        let from = self.at;
        let byte = self.text[from];
        let close = match byte {
            b'[' => Some(b']'),
            b'"' | b'`' | b'\'' => Some(byte),
            _ => None,
        };
        if let Some(close) = close {
            let end = memchr::memchr(close, &self.text[from + 1..]).map_or(self.text.len(), |length| from + 1 + length);
            self.at = (end + 1).min(self.text.len());
            return Some(Part::Name(String::from_utf8_lossy(&self.text[from + 1..end]).into_owned(), true));
        }
        if is_word(byte) {
            let length = self.text[from..].iter().take_while(|byte| is_word(**byte) || **byte == b'$').count();
            self.at += length;
            return Some(Part::Name(String::from_utf8_lossy(&self.text[from..from + length]).into_owned(), false));
        }
        self.at += 1;
        Some(if byte == b'(' { Part::Open } else { Part::Other })
    }

    /// The first name of each item, up to the closing bracket.
    fn columns(&mut self) -> Vec<(String, bool)> {
        let (mut columns, mut depth, mut wanted) = (Vec::new(), 1u32, true);
        while depth > 0 && columns.len() < COLUMNS {
            match self.text.get(self.at) {
                None => break,
                Some(b',') if depth == 1 => wanted = true,
                Some(b')') => depth -= 1,
                _ => {
                    match self.next() {
                        Some(Part::Name(name, quoted)) if wanted && depth == 1 => {
                            columns.push((name, quoted));
                            wanted = false;
                        }
                        Some(Part::Open) => depth += 1,
                        Some(_) => {}
                        None => break,
                    }
                    continue;
                }
            }
            self.at += 1;
        }
        columns
    }
}
