//! PostgreSQL's log as CSV (`log_destination = csvlog`), with `log_statement` or pgaudit. A record goes over as many lines as
//! its statement; what is begun is kept in memory, and has an end.

use crate::sensors::log::formats::{
    format::{Access, Clock, ReadFormat, ReadReader, address},
    postgres,
};

/// The row of `formats::READS`.
pub const FORMAT: ReadFormat = ReadFormat { name: "postgres_csv", reader: || Box::new(Records::default()) };

/// The longest record.
const LONGEST: usize = 1 << 20;
// The columns that are read.
const TIME: usize = 0;
const USER: usize = 1;
const FROM: usize = 4;
const SEVERITY: usize = 11;
const MESSAGE: usize = 13;
const DETAIL: usize = 14;

#[derive(Default)]
struct Records {
    begun: String,
    /// Whether a quoted field goes on in the next line.
    open: bool,
    /// Of a record so long that a part of it was told: as whose the rest is told, if it is an access at all.
    rest: Option<Option<Access>>,
}

impl ReadReader for Records {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Access> {
        let mut told = Vec::new();
        if self.open && begins(line) && is_outside(line) {
            // The record before was cut off: as far as it came, it tells of a statement all the same.
            told.extend(self.tell(clock));
            (self.open, self.rest) = (false, None);
        }
        match self.open {
            true => self.begun.push('\n'),
            false if begins(line) => {}
            false => return told,
        }
        self.begun.push_str(line);
        self.open ^= line.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
        if !self.open || self.begun.len() > LONGEST {
            told.extend(self.tell(clock));
        }
        if !self.open {
            self.rest = None;
        }
        told
    }
}

impl Records {
    /// What was begun, as an access.
    fn tell(&mut self, clock: &Clock) -> Option<Access> {
        let begun = std::mem::take(&mut self.begun);
        if let Some(rest) = &self.rest {
            return rest.clone().map(|access| Access { text: begun.clone(), told: Some(begun), ..access });
        }
        let access = read(&begun, self.open, clock);
        self.rest = Some(access.clone());
        access
    }
}

/// Whether a line, read as if it went on with a quoted field, quotes as none does: then it stands outside of one. Whoever
/// writes a statement cannot bring that about, since a quote in it is doubled.
fn is_outside(line: &str) -> bool {
    let bytes = line.as_bytes();
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == b'"') {
        let from = at + next;
        let quotes = bytes[from..].iter().take_while(|byte| **byte == b'"').count();
        at = from + quotes;
        if quotes % 2 == 1 {
            return bytes.get(at).is_some_and(|behind| *behind != b',');
        }
    }
    false
}

/// Whether a line begins with a time, as records do.
fn begins(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 20
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[10] == b' '
        && bytes[13] == b':'
}

/// A record, perhaps one whose last field is still open.
fn read(record: &str, open: bool, clock: &Clock) -> Option<Access> {
    let closed = format!("{record}{}", if open { "\"" } else { "" });
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(closed.as_bytes());
    let fields = reader.records().next()?.ok()?;
    let text = |column: usize| fields.get(column).unwrap_or_default();
    (text(SEVERITY) == "LOG").then_some(())?;
    let statement = postgres::statement(text(MESSAGE))?;
    Some(Access {
        user: text(USER).to_owned(),
        source_ip: address(text(FROM)),
        at: postgres::time(text(TIME), clock),
        text: format!("{statement}\n{}", text(DETAIL)),
        told: Some(record.to_owned()),
        ..Access::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::reads;
    use proptest::prelude::*;

    #[test]
    fn records_are_read_over_their_lines() {
        let one = r#"2026-11-28 03:40:14.439 UTC,"owner","postgres",12741,"127.0.0.1:59214",6b0a4d1e.31c5,11,"idle",2026-11-28 03:40:14 UTC,3/12,0,LOG,00000,"statement: select ""x""
 from e

2026
where email = 'a@b.fr';",,,,,,,,,"psql","client backend",,0"#;
        let two = r#"2026-11-28 03:40:14.439 CET,"owner","postgres",12741,"[local]",6b0a4d1e.31c5,12,"COPY",2026-11-28 03:40:14 UTC,3/12,0,LOG,00000,"execute <unnamed>: select $1","parameters: $1 = 'a@b.fr'",,,,,,,,"psql","client backend",,0"#;
        let error = two.replace(",LOG,", ",ERROR,");
        let cut = "2026-11-28 03:40:14.439 UTC,\"owner\",\"postgres\",12741,\"[local]\",x,1,\"idle\",x,x,0,LOG,00000,\"statement: select";
        let told = reads(&FORMAT, &format!("torn \"line\n{one}\n{error}\n{cut}\n{two}\n"));
        assert_eq!(
            told,
            [
                "owner 127.0.0.1 2026-11-28T03:40:14.439Z statement: select \"x\"\n from e\n2026\nwhere email = 'a@b.fr';\n",
                "owner - 2026-11-28T03:40:14.439Z statement: select\n",
                "owner - 2026-11-28T02:40:14.439Z execute <unnamed>: select $1\nparameters: $1 = 'a@b.fr'",
            ]
        );
    }

    #[test]
    fn nothing_in_a_statement_hides_it() {
        let head = r#"2026-11-28 03:40:14.439 UTC,"owner","postgres",12741,"[local]",x,1,"idle",x,3/12,0,LOG,00000,"statement: "#;
        let tail = r#"",,,,,,,,,"psql","client backend",,0"#;
        // Times, and what looks like another record, in comments.
        for line in [
            "2026-11-28 03:40:14.439 UTC, x",
            r#"2026-11-28 03:40:14.439 UTC,""other"",""postgres"",12741,""[local]"",x,1,""idle"",x,3/12,0,LOG,00000,""statement: x"",,"#,
            r#"2026-11-28 03:40:14.439 UTC,"""","""" x"#,
        ] {
            let told =
                reads(&FORMAT, &format!("{head}select /*\n{line}\n*/ 'a@b.fr'\n2026-11-28 03:40:14.439 UTC{tail}"));
            assert_eq!(told.len(), 1, "{line}: {told:?}");
            assert!(told[0].starts_with("owner - ") && told[0].contains("a@b.fr"), "{told:?}");
        }
        // A statement that is longer than what is kept is told in pieces.
        let line = "-- ".repeat(1000);
        let long = format!("{head}select {}\n'a@b.fr'{tail}\n{head}'c@d.fr'{tail}", vec![line; 400].join("\n"));
        let told = reads(&FORMAT, &long);
        assert_eq!(told.len(), 3);
        assert!(told.iter().all(|told| told.starts_with("owner - 2026-11-28T03:40:14.439Z ")));
        assert!(told[1].contains("a@b.fr") && told[2].contains("c@d.fr"));
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(lines in "(2026-11-28 03:40:14\\.439 UTC,|\"|,|LOG|statement: |\n|é|\\PC){0,20}") {
            reads(&FORMAT, &lines);
        }
    }
}
