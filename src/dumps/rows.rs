//! Counts the data rows of a table that is written as text: CSV, SQL inserts and copies, JSON lines, combo lists.

use memchr::memmem;

/// Counts over the pieces of one text.
#[derive(Default)]
pub(super) struct RowCounter {
    table: Option<Table>,
    looked: bool,
    rows: u64,
    /// The beginning of a line that the next piece goes on with.
    rest: Vec<u8>,
    copying: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Table {
    Sql,
    JsonLines,
    Delimited { header: bool },
}

/// The most of a line that is looked at.
const LONGEST: usize = 1 << 20;

impl RowCounter {
    pub fn see(&mut self, text: &[u8]) {
        if !self.looked {
            self.looked = true;
            self.table = recognise(text);
            if self.table == Some(Table::Delimited { header: true }) {
                self.rows = self.rows.wrapping_sub(1);
            }
        }
        if self.table.is_none() {
            return;
        }
        let mut rest = std::mem::take(&mut self.rest);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                let room = LONGEST.saturating_sub(rest.len()).min(line.len());
                rest.extend_from_slice(&line[..room]);
            } else if rest.is_empty() {
                self.count(line);
            } else {
                rest.extend_from_slice(line);
                self.count(&rest);
                rest.clear();
            }
        }
        self.rest = rest;
    }

    pub fn finish(mut self) -> Option<u64> {
        let rest = std::mem::take(&mut self.rest);
        self.count(&rest);
        self.table.map(|_| self.rows)
    }

    fn count(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        match self.table {
            None => {}
            Some(Table::JsonLines) => self.rows += u64::from(line.starts_with(b"{")),
            Some(Table::Delimited { .. }) => self.rows = self.rows.wrapping_add(1),
            Some(Table::Sql) if self.copying => {
                self.copying = line != b"\\.";
                self.rows += u64::from(self.copying);
            }
            Some(Table::Sql) => {
                let start = line[..line.len().min(12)].to_ascii_uppercase();
                if start.starts_with(b"COPY ") && line.ends_with(b"FROM stdin;") {
                    self.copying = true;
                } else if start.starts_with(b"INSERT INTO") || start.starts_with(b"(") {
                    let opened = u64::from(start.starts_with(b"(") || memmem::find(line, b" (").is_some());
                    let more = memmem::find_iter(line, b"),(").count() + memmem::find_iter(line, b"), (").count();
                    let names_only = line.to_ascii_uppercase().ends_with(b"VALUES");
                    self.rows += if names_only { 0 } else { opened + more as u64 };
                }
            }
        }
    }
}

/// What table a text is that begins so.
fn recognise(text: &[u8]) -> Option<Table> {
    let head = &text[..text.len().min(64 << 10)];
    let lines: Vec<&[u8]> =
        head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).take(20).collect();
    let first = *lines.first()?;
    if lines.iter().all(|line| line.starts_with(b"{\"")) {
        return Some(Table::JsonLines);
    }
    if memmem::find(head, b"INSERT INTO").is_some() || memmem::find(head, b"FROM stdin;").is_some() {
        return Some(Table::Sql);
    }
    let fields = |line: &[u8], delimiter: u8| {
        let mut quoted = false;
        line.iter()
            .filter(|byte| {
                quoted ^= **byte == b'"';
                !quoted && **byte == delimiter
            })
            .count()
    };
    // The last line of the head may be cut.
    let whole = if lines.len() > 2 && !head.ends_with(b"\n") { &lines[..lines.len() - 1] } else { &lines[..] };
    let delimiter = [b';', b'\t', b'|', b',', b':'].into_iter().find(|delimiter| {
        let count = fields(first, *delimiter);
        count > 0 && whole.len() > 1 && whole.iter().all(|line| fields(line, *delimiter) == count)
    })?;
    let header = delimiter != b':' && !first.iter().any(|byte| byte.is_ascii_digit() || *byte == b'@');
    Some(Table::Delimited { header })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Option<u64> {
        // In pieces of seven bytes after the first, so that borders are met.
        let mut counter = RowCounter::default();
        let (first, rest) = text.split_at(text.len().min(60));
        counter.see(first.as_bytes());
        rest.as_bytes().chunks(7).for_each(|chunk| counter.see(chunk));
        counter.finish()
    }

    #[test]
    fn tables_are_told_and_their_rows_counted() {
        assert_eq!(rows("name;mail\na;a@x.org\nb;b@x.org\n\"c;d\";c@x.org"), Some(3));
        assert_eq!(rows("a@x.org:one\nb@x.org:two\n"), Some(2));
        assert_eq!(rows("{\"a\":1}\n{\"a\":2}\n"), Some(2));
        assert_eq!(
            rows("CREATE TABLE t;\nINSERT INTO t VALUES (1,'a'),(2,'b');\nINSERT INTO t VALUES (3,'c');\n"),
            Some(3)
        );
        assert_eq!(rows("INSERT INTO t (a,b) VALUES\n(1,'a'),\n(2,'b');\n"), Some(2));
        assert_eq!(rows("COPY t (a) FROM stdin;\n1\n2\n\\.\n"), Some(2));
        assert_eq!(rows("A letter, with commas.\nAnd a line without.\n"), None);
        assert_eq!(rows(""), None);
    }
}
