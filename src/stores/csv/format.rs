//! How one CSV file is written: its encoding, delimiter, columns. Found by looking, unless the operator says so.

use crate::stores::{
    csv::{
        encoding::{self, Encoding},
        records::{Flaw, Raw, Records},
    },
    store::StoreError,
};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufReader, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};

/// The records of a file, read in its encoding.
pub type FileRecords<'a> = Records<BufReader<Box<dyn Read + 'a>>>;

/// The format of one file.
#[derive(Clone, Debug)]
pub struct Format {
    pub encoding: Encoding,
    /// Bytes of the byte-order mark.
    pub mark: u64,
    pub delimiter: u8,
    /// The column names that the operator's configuration speaks of.
    pub known: Vec<String>,
}

const SAMPLE: usize = 64 << 10;
const DELIMITERS: &[u8] = b",;\t|";

impl Format {
    /// Finds out how the file is written, taking what the operator says for granted.
    pub fn of(
        file: &mut File,
        path: &Path,
        length: u64,
        encoding: Option<Encoding>,
        delimiter: Option<u8>,
        known: Vec<String>,
    ) -> Result<Format, StoreError> {
        let unreadable = |error| unreadable(path, &error);
        file.rewind().map_err(unreadable)?;
        let (found, mark) = Encoding::detect((&mut *file).take(length)).map_err(unreadable)?;
        let encoding = match (encoding, mark) {
            (Some(named), 1..) if named != found => {
                return Err(StoreError::Refused(format!(
                    "{}: encoding says {}, but the file begins with the mark of {}: correct `encoding`, or leave it out",
                    path.display(),
                    named.name(),
                    found.name()
                )));
            }
            (named, _) => named.unwrap_or(found),
        };
        let mut format = Format { encoding, mark, delimiter: delimiter.unwrap_or(b','), known };
        if delimiter.is_none() {
            format.delimiter = format.sniff(file, path, length)?;
        }
        Ok(format)
    }

    /// The file's records, from the first, up to `length` bytes.
    pub fn records<'a>(&self, file: &'a mut File, path: &Path, length: u64) -> Result<FileRecords<'a>, StoreError> {
        file.seek(SeekFrom::Start(self.mark)).map_err(|error| unreadable(path, &error))?;
        let text = file.take(length.saturating_sub(self.mark));
        Ok(Records::new(BufReader::with_capacity(SAMPLE, self.encoding.reader(text)), self.delimiter))
    }

    /// The delimiter under which the first records agree and have most fields.
    fn sniff(&self, file: &mut File, path: &Path, length: u64) -> Result<u8, StoreError> {
        file.seek(SeekFrom::Start(self.mark)).map_err(|error| unreadable(path, &error))?;
        let mut sample = vec![0; SAMPLE];
        let text = file.take(length.saturating_sub(self.mark));
        let read =
            encoding::fill(&mut self.encoding.reader(text), &mut sample).map_err(|error| unreadable(path, &error))?;
        let cut = read == SAMPLE;
        sample.truncate(read);
        let score = |delimiter: u8| {
            let mut records = Records::new(&sample[..], delimiter);
            let (mut raw, mut fields) = (Raw::default(), Vec::new());
            while let Ok(true) = records.next(&mut raw) {
                if !raw.is_blank() {
                    fields.push(raw.cells.len());
                }
            }
            if cut && fields.len() > 1 {
                fields.pop();
            }
            let first = fields.first().copied().unwrap_or(0);
            let agreeing = fields.iter().filter(|&&count| count == first).count();
            // Most records agreeing counts before many fields: one cut record must not hide the delimiter.
            (first > 1, first > 1 && agreeing * 10 >= fields.len() * 9, first)
        };
        let mut best = (b',', score(b','));
        for &delimiter in &DELIMITERS[1..] {
            let found = score(delimiter);
            if found > best.1 {
                best = (delimiter, found);
            }
        }
        Ok(best.0)
    }

    /// The column names: the first record. Refused where it cannot be a header.
    pub fn header(&self, records: &mut FileRecords<'_>, path: &Path, raw: &mut Raw) -> Result<Vec<String>, StoreError> {
        let refuse = |why: &str| {
            StoreError::Refused(format!("{}:1: {why}: the first line must name the columns, each once", path.display()))
        };
        if !next(records, path, raw)? {
            return Err(refuse("the file is empty"));
        }
        if raw.is_blank() {
            return Err(refuse("the line is empty"));
        }
        let names: Vec<String> =
            raw.cells.iter().map(|cell| self.encoding.decode(&raw.value(cell)).trim().to_owned()).collect();
        // A file without a header begins with a person: nothing of that line may be shown.
        let is_known = !self.known.is_empty() && self.known.iter().all(|name| names.contains(name));
        if !is_known && names.iter().any(|name| is_value(name)) {
            return Err(refuse("this looks like a row of values, not like a header"));
        }
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !seen.insert(name) {
                let first = names.iter().position(|other| other == name).unwrap_or(0);
                return Err(refuse(&format!("columns {} and {} have the same name", first + 1, index + 1)));
            }
        }
        Ok(names)
    }
}

/// Reads the next record, and says in an operator's words why that fails.
pub fn next(records: &mut FileRecords<'_>, path: &Path, raw: &mut Raw) -> Result<bool, StoreError> {
    records.next(raw).map_err(|flaw| match flaw {
        Flaw::Io(error) => unreadable(path, &error),
        Flaw::OpenQuote { line } => StoreError::Refused(format!(
            "{}:{line}: a quote opened in the record that begins here is never closed: complete the file",
            path.display()
        )),
        Flaw::TooLong { line } => StoreError::Refused(format!(
            "{}:{line}: the record that begins here goes on for more than {} MiB: is a quote not closed?",
            path.display(),
            super::records::LONGEST >> 20
        )),
    })
}

/// A record with another number of fields than the header.
pub fn ragged(path: &Path, raw: &Raw, columns: usize) -> StoreError {
    let cut = raw.line_end().is_empty() && raw.cells.len() < columns;
    StoreError::Refused(format!(
        "{}:{}: {} fields where the header has {columns}: {}",
        path.display(),
        raw.line,
        raw.cells.len(),
        if cut { "the file is cut in the middle of this line, export it again" } else { "correct this line" }
    ))
}

/// A file that could not be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::InvalidData => StoreError::Refused(format!("{}: {error}: export it again", path.display())),
        ErrorKind::NotFound => {
            StoreError::Refused(format!("{}: there is no such file: correct `path`", path.display()))
        }
        ErrorKind::PermissionDenied => StoreError::Refused(format!(
            "{}: no right to read and write it: give it to the service's user",
            path.display()
        )),
        _ => StoreError::Retry(format!("{}: {error}", path.display())),
    }
}

/// Whether this stands in rows and never in a header: an address, a number, a date.
fn is_value(name: &str) -> bool {
    name.contains('@')
        || (name.contains(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_digit() || " .,-/:+".contains(c)))
}
