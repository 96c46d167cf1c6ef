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
}

impl ReadReader for Records {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Access> {
        // A record that begins anew shows that the one before was cut off.
        if !self.begun.is_empty()
            && begins(line)
            && postgres::time(line.split(',').next().unwrap_or(line), clock).is_some()
        {
            self.begun.clear();
        }
        if self.begun.len() + line.len() > LONGEST {
            self.begun.clear();
            return Vec::new();
        }
        if self.begun.is_empty() && !begins(line) {
            return Vec::new();
        }
        if !self.begun.is_empty() {
            self.begun.push('\n');
        }
        self.begun.push_str(line);
        if self.begun.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
            return Vec::new();
        }
        let record = std::mem::take(&mut self.begun);
        read(&record, clock).into_iter().collect()
    }
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

fn read(record: &str, clock: &Clock) -> Option<Access> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record.as_bytes());
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
                "owner - 2026-11-28T02:40:14.439Z execute <unnamed>: select $1\nparameters: $1 = 'a@b.fr'",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(lines in "(2026-11-28 03:40:14\\.439 UTC,|\"|,|LOG|statement: |\n|é|\\PC){0,20}") {
            reads(&FORMAT, &lines);
        }
    }
}
