//! SQL dumps: the tuples of INSERT, one or many a statement, and the lines of COPY.

use crate::dumps::tables::{
    CELLS, Cell, Step,
    cells::{cell, from_hex, unescaped, unquoted},
    sql_head::{Head, Schemas, end_of_head},
};
use memchr::memmem;

/// A dump, and where in it the text is.
#[derive(Clone, Default)]
pub(super) struct Sql {
    /// Whether a backslash in a string escapes: MySQL's way, and nobody else's.
    pub backslashes: bool,
    mode: Mode,
    /// The tables whose columns a CREATE TABLE told.
    schemas: Schemas,
    table: Option<String>,
    names: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    /// Between statements, or at the beginning of one.
    #[default]
    Head,
    /// Behind VALUES.
    Tuples,
    /// In the lines of COPY.
    Copy,
    /// In what could not be read: until a line begins a statement that bears rows.
    Lost,
}

impl Sql {
    /// A dump that begins so; none if it is none.
    pub fn of(head: &[u8]) -> Option<Sql> {
        let upper = head.to_ascii_uppercase();
        let has = |text: &[u8]| memmem::find(&upper, text).is_some();
        let told = ["INSERT INTO", "CREATE TABLE", "FROM STDIN;", "-- MYSQL DUMP", "-- POSTGRESQL DATABASE DUMP"];
        let bears = has(b"INSERT [") || told.iter().any(|text| has(text.as_bytes()));
        let backslashes = has(b"`") || has(b"\\'") || has(b"-- MYSQL DUMP");
        bears.then(|| Sql { backslashes, ..Sql::default() })
    }

    /// The table whose rows stand here.
    pub fn name(&self) -> Option<&str> {
        self.table.as_deref()
    }

    pub fn step(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        match self.mode {
            Mode::Head => self.head(text, from, last),
            Mode::Tuples => self.tuple(text, from, last),
            Mode::Copy => self.line(text, from, last),
            Mode::Lost => self.found(text, from),
        }
    }

    pub fn overflow(&mut self, text: &[u8], from: usize) -> Step {
        let row = matches!(self.mode, Mode::Tuples | Mode::Copy);
        if self.mode != Mode::Copy {
            self.mode = Mode::Lost;
        }
        // What follows a line that was cut in COPY is counted as a line of its own: it has no beginning to be told by.
        if row && from < text.len() { Step::Long(text.len()) } else { Step::Skip(text.len()) }
    }

    fn head(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        match end_of_head(text, from, self.backslashes) {
            None if last => Step::Skip(text.len()),
            None => Step::More,
            Some((Head::Blank, next)) => Step::Skip(next),
            Some((Head::Insert { table, columns }, next)) => {
                self.names = if columns.is_empty() { self.schemas.columns(&table) } else { columns };
                self.table = Some(table);
                self.mode = Mode::Tuples;
                Step::Skip(next)
            }
            Some((Head::Copy { table, columns }, next)) => {
                let Some(length) = memchr::memchr(b'\n', &text[next..]) else {
                    return if last { Step::Skip(text.len()) } else { Step::More };
                };
                self.names = if columns.is_empty() { self.schemas.columns(&table) } else { columns };
                self.table = Some(table);
                self.mode = Mode::Copy;
                Step::Skip(next + length + 1)
            }
            Some((Head::Create { table, columns }, next)) => {
                self.schemas.learn(table, columns);
                Step::Skip(next)
            }
        }
    }

    fn tuple(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        let skipped = text[from..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
        let at = from + skipped;
        match text.get(at) {
            None => Step::Skip(at),
            Some(b'(') => match end_of_tuple(text, at, self.backslashes) {
                Some(end) => Step::Row { from: at, to: end, next: end },
                None if last => Step::Skip(text.len()),
                None if skipped > 0 => Step::Skip(at),
                None => Step::More,
            },
            Some(b';') => {
                self.mode = Mode::Head;
                Step::Skip(at + 1)
            }
            Some(_) => {
                self.mode = Mode::Head;
                if skipped > 0 { Step::Skip(at) } else { self.head(text, at, last) }
            }
        }
    }

    fn line(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        let end = match memchr::memchr(b'\n', &text[from..]) {
            Some(length) => from + length,
            None if last => text.len(),
            None => return Step::More,
        };
        let next = (end + 1).min(text.len());
        if text[from..end].trim_ascii_end() == b"\\." {
            self.mode = Mode::Head;
            return Step::Skip(next);
        }
        Step::Row { from, to: end, next }
    }

    fn found(&mut self, text: &[u8], from: usize) -> Step {
        let begins = [&b"\nINSERT INTO"[..], b"\nCOPY ", b"\nCREATE TABLE", b"\ninsert into", b"\nINSERT ["];
        match begins.iter().filter_map(|begin| memmem::find(&text[from..], begin)).min() {
            Some(length) => {
                self.mode = Mode::Head;
                Step::Skip(from + length + 1)
            }
            // The beginning of such a line may stand at the end.
            None if text.len() - from > 16 => Step::Skip(text.len() - 16),
            None => Step::More,
        }
    }

    /// The row's values.
    pub fn cells(&self, row: &[u8]) -> Vec<Cell> {
        let mut cells = if self.mode == Mode::Copy { copy_cells(row) } else { self.tuple_cells(row) };
        for cell in &mut cells {
            cell.name = self.names.get(cell.place).cloned();
        }
        cells
    }

    fn tuple_cells(&self, row: &[u8]) -> Vec<Cell> {
        let (mut cells, mut at, mut from) = (Vec::new(), 1, 1);
        let mut depth = 1;
        // The first string of the value, without its quotes.
        let mut string = None;
        while at < row.len() && depth > 0 {
            let byte = row[at];
            match byte {
                b'\'' | b'"' | b'`' => {
                    let end = end_of_string(row, at, self.backslashes).unwrap_or(row.len());
                    string.get_or_insert((at, end.saturating_sub(1).max(at + 1), byte));
                    at = end;
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if (depth == 0 || (depth == 1 && byte == b',')) && cells.len() < CELLS {
                let value = match string.take() {
                    Some((open, close, quote)) => self.string(&row[from..open], &row[open + 1..close], quote),
                    None => number(row[from..at].trim_ascii()),
                };
                cells.push(cell(cells.len(), from..at, &value));
                from = at + 1;
            }
            at += 1;
        }
        cells
    }

    /// What a string means; `before` is its prefix, as in `N'…'`, `E'…'`, `X'…'`.
    fn string(&self, before: &[u8], inner: &[u8], quote: u8) -> Vec<u8> {
        let prefix = before.trim_ascii().last().map(u8::to_ascii_uppercase);
        let text = unquoted(inner, quote, self.backslashes || prefix == Some(b'E'));
        match prefix {
            Some(b'X') => from_hex(&text).unwrap_or(text),
            _ => text.strip_prefix(b"\\x").and_then(from_hex).unwrap_or(text),
        }
    }
}

/// A value without quotes: empty where it is null, text where it is the hexadecimal of text.
fn number(raw: &[u8]) -> Vec<u8> {
    if raw.eq_ignore_ascii_case(b"NULL") {
        return Vec::new();
    }
    let digits = raw.strip_prefix(b"0x").or_else(|| raw.strip_prefix(b"0X"));
    digits.filter(|digits| digits.len() >= 16).and_then(from_hex).unwrap_or_else(|| raw.to_vec())
}

fn copy_cells(row: &[u8]) -> Vec<Cell> {
    let (mut cells, mut from) = (Vec::new(), 0);
    let row = row.strip_suffix(b"\r").unwrap_or(row);
    while from <= row.len() && cells.len() < CELLS {
        let end = memchr::memchr(b'\t', &row[from..]).map_or(row.len(), |length| from + length);
        let raw = &row[from..end];
        let value = if raw == b"\\N" { Vec::new() } else { unescaped(raw) };
        let value = value.strip_prefix(b"\\x").and_then(from_hex).unwrap_or(value);
        cells.push(cell(cells.len(), from..end, &value));
        from = end + 1;
    }
    cells
}

/// Behind the string whose quote stands at `from`.
pub(super) fn end_of_string(text: &[u8], from: usize, backslashes: bool) -> Option<usize> {
    let quote = text[from];
    let backslashes = backslashes || (from > 0 && matches!(text[from - 1], b'E' | b'e') && quote == b'\'');
    let mut at = from + 1;
    loop {
        at += memchr::memchr2(quote, if backslashes { b'\\' } else { quote }, text.get(at..)?)?;
        match text.get(at + 1) {
            _ if text[at] == b'\\' => at += 2,
            Some(next) if *next == quote => at += 2,
            Some(_) => return Some(at + 1),
            // The quote may be the first of two.
            None => return None,
        }
    }
}

/// Behind the tuple whose bracket stands at `from`.
fn end_of_tuple(text: &[u8], from: usize, backslashes: bool) -> Option<usize> {
    let (mut at, mut depth) = (from, 0u32);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\'' | b'"' | b'`' => {
                at = end_of_string(text, at, backslashes)?;
                continue;
            }
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}
