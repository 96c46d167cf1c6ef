//! One pass over the rows of a CSV file, from which every operation decides what to do. It changes nothing.

use crate::stores::{
    csv::{
        format::{Format, next, ragged},
        records::Raw,
    },
    store::StoreError,
};
use std::{fs::File, path::Path};

/// What a pass over the file has found.
pub struct Walk {
    pub header: Vec<String>,
    /// The header as it stands in the file.
    pub header_record: Raw,
    /// Records, the header and empty lines counted.
    pub records: u64,
    /// Whether the last line has no line end.
    pub ends_bare: bool,
    /// Of all the records' bytes.
    pub digest: blake3::Hash,
}

impl Walk {
    /// The file's line end.
    pub fn line_end(&self) -> &[u8] {
        match self.header_record.line_end() {
            b"" => b"\n",
            end => end,
        }
    }

    /// The place of a column.
    pub fn column(&self, name: &str, path: &Path) -> Result<usize, StoreError> {
        column(&self.header, name, path)
    }
}

/// The place of a column in a header.
pub fn column(header: &[String], name: &str, path: &Path) -> Result<usize, StoreError> {
    header.iter().position(|column| column == name).ok_or_else(|| {
        StoreError::Refused(format!(
            "{}:1: no column is called {name:?}: correct the store's `columns` and `constants`, or the file's header",
            path.display()
        ))
    })
}

/// What is shown of each row: the header, the number of its record in the file, and the record. False stops.
pub type Visit<'a> = dyn FnMut(&[String], u64, &Raw) -> Result<bool, StoreError> + 'a;

/// Shows every row. Refuses a file that is cut, or whose lines have not the header's number of fields.
pub fn walk(
    file: &mut File,
    path: &Path,
    length: u64,
    format: &Format,
    visit: &mut Visit<'_>,
) -> Result<Walk, StoreError> {
    let mut records = format.records(file, path, length)?;
    let mut raw = Raw::default();
    let header = format.header(&mut records, path, &mut raw)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&raw.bytes);
    let mut walk = Walk {
        header,
        ends_bare: raw.line_end().is_empty(),
        header_record: raw.clone(),
        records: 1,
        digest: hasher.finalize(),
    };
    while next(&mut records, path, &mut raw)? {
        hasher.update(&raw.bytes);
        walk.ends_bare = raw.line_end().is_empty();
        if !raw.is_blank() {
            if raw.cells.len() != walk.header.len() {
                return Err(ragged(path, &raw, walk.header.len()));
            }
            if !visit(&walk.header, walk.records, &raw)? {
                break;
            }
        }
        walk.records += 1;
    }
    walk.digest = hasher.finalize();
    Ok(walk)
}
