//! A CSV file as a store: an export that another system reads. Rows are put among the file's own and look like them;
//! the file keeps its encoding, delimiter, quoting, line ends, owner and mode.

mod compose;
mod encoding;
mod format;
mod plant;
mod records;
mod revision;
mod rewrite;
mod walk;
mod withdraw;

use crate::{
    domain::section::{Section, SectionError},
    stores::{
        csv::{encoding::Encoding, format::Format},
        store::{
            ColumnProfile, Columns, Entry, NewPlanting, Placed, Profile, Revision, Store, StoreError, Stored, Takes,
            Withdrawal, blocking, streaming,
        },
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Arc,
};

/// The row of `stores::ALL`.
pub const ENTRY: Entry = Entry { kind: "csv", about: "a CSV file that other systems read or write", build };

/// The keys of a `csv` store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// One character; found by looking where it is left out.
    #[serde(default)]
    pub delimiter: Option<String>,
    /// `utf-8`, `utf-16le`, `windows-1252`, `latin1` …; found by looking where it is left out.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Persona field to column.
    #[serde(default)]
    pub columns: Columns,
    /// Columns that have the same value in every canary.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// The stores that this one is copied into.
    #[serde(default)]
    pub feeds: Vec<String>,
    /// A file cannot answer queries: refused with a word on why.
    #[serde(default)]
    pub guard: Option<toml::Value>,
}

fn build(section: &Section) -> Result<Box<dyn Store>, SectionError> {
    let config: Config = section.read()?;
    if config.guard.is_some() {
        return Err(SectionError::new(
            "guard",
            "a CSV file cannot answer a query, so a csv store has no guard: leave it out, and keep canaries out of \
             payroll by `constants`",
        ));
    }
    let delimiter = match config.delimiter.as_deref().map(str::as_bytes) {
        None => None,
        Some(&[byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Some(byte),
        Some(_) => {
            return Err(SectionError::new("delimiter", "expected one character, such as \",\", \";\" or \"\\t\""));
        }
    };
    let encoding = match &config.encoding {
        None => None,
        Some(label) => Some(Encoding::named(label).ok_or_else(|| {
            SectionError::new(
                "encoding",
                "expected utf-8, utf-16le, utf-16be, latin1, windows-1252 or another encoding of one byte a character",
            )
        })?),
    };
    let path = section.path(&config.path);
    Ok(Box::new(Csv { file: Arc::new(Place { path, delimiter, encoding, config }) }))
}

struct Csv {
    file: Arc<Place>,
}

/// Where the file is, and what the operator says of it.
struct Place {
    path: PathBuf,
    delimiter: Option<u8>,
    encoding: Option<Encoding>,
    config: Config,
}

impl Place {
    fn format(&self, file: &mut File, length: u64) -> Result<Format, StoreError> {
        let known = self.named().cloned().collect();
        Format::of(file, &self.path, length, self.encoding, self.delimiter, known)
    }

    /// The columns that the configuration names.
    fn named(&self) -> impl Iterator<Item = &String> {
        let Columns { password_hash, fields } = &self.config.columns;
        let password = password_hash.iter().map(|password| &password.column);
        fields.values().chain(self.config.constants.keys()).chain(password)
    }

    fn open(&self) -> Result<(File, u64, Format), StoreError> {
        let unreadable = |error| format::unreadable(&self.path, &error);
        let mut file = File::open(&self.path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?;
        if !found.is_file() {
            return Err(StoreError::Refused(format!(
                "{}: this is no file: `path` must name the CSV file itself",
                self.path.display()
            )));
        }
        let format = self.format(&mut file, found.len())?;
        Ok((file, found.len(), format))
    }

    fn profile(&self) -> Result<Profile, StoreError> {
        rewrite::probe(&self.path)?;
        let (mut file, length, format) = self.open()?;
        let mut rows = 0;
        let mut learners: Vec<(canaries::shape::Learner, Distinct)> = Vec::new();
        let walk = walk::walk(&mut file, &self.path, length, &format, &mut |header, _, raw| {
            learners.resize_with(header.len(), Default::default);
            for (cell, (learner, distinct)) in raw.cells.iter().zip(&mut learners) {
                let value = raw.value(cell);
                distinct.see(&value);
                learner.see(Some(&format.encoding.decode(&value)));
            }
            rows += 1;
            Ok(true)
        })?;
        learners.resize_with(walk.header.len(), Default::default);
        for name in self.named() {
            walk.column(name, &self.path)?;
        }
        let columns = walk
            .header
            .iter()
            .zip(learners)
            .map(|(name, (learner, distinct))| ColumnProfile {
                name: name.clone(),
                type_name: String::new(),
                nullable: true,
                unique: distinct.unique(),
                references: None,
                generated: false,
                shape: learner.finish(),
            })
            .collect();
        Ok(Profile { rows, columns })
    }

    fn read(&self, columns: &[String], show: &mut crate::stores::store::Show<'_>) -> Result<(), StoreError> {
        let (mut file, length, format) = self.open()?;
        let mut wanted: Option<Vec<usize>> = None;
        walk::walk(&mut file, &self.path, length, &format, &mut |header, _, raw| {
            let wanted = match &wanted {
                Some(wanted) => wanted,
                None if columns.is_empty() => wanted.insert((0..header.len()).collect()),
                None => wanted.insert(
                    columns.iter().map(|name| walk::column(header, name, &self.path)).collect::<Result<_, _>>()?,
                ),
            };
            let row = wanted
                .iter()
                .map(|&index| {
                    (header[index].clone(), format.encoding.decode(&raw.value(&raw.cells[index])).into_owned())
                })
                .collect();
            Ok(show(Stored { locator: locator(raw.body()), planting: crate::domain::placement::Planting::Row(row) }))
        })?;
        Ok(())
    }
}

/// A row has no key of its own: it is found again by the digest of its bytes.
fn locator(body: &[u8]) -> String {
    let digest = blake3::hash(body);
    serde_json::json!({ "row": data_encoding::HEXLOWER.encode(&digest.as_bytes()[..16]) }).to_string()
}

/// For comparing values of markers: letter case and blanks at the ends do not tell two apart.
fn folded(value: &str) -> String {
    value.trim().to_lowercase()
}

/// Whether any value stood twice, among the first of them.
struct Distinct {
    hashes: Option<HashSet<u64>>,
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct { hashes: Some(HashSet::new()) }
    }
}

impl Distinct {
    const REMEMBERED: usize = 1 << 18;

    fn see(&mut self, value: &[u8]) {
        if let Some(hashes) = &mut self.hashes
            && hashes.len() < Self::REMEMBERED
        {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            if !hashes.insert(hasher.finish()) {
                self.hashes = None;
            }
        }
    }

    fn unique(&self) -> bool {
        self.hashes.as_ref().is_some_and(|hashes| hashes.len() > 1)
    }
}

#[async_trait]
impl Store for Csv {
    fn takes(&self) -> Takes {
        Takes::Rows
    }

    fn columns(&self) -> &Columns {
        &self.file.config.columns
    }

    fn constants(&self) -> &BTreeMap<String, String> {
        &self.file.config.constants
    }

    async fn profile(&self) -> Result<Profile, StoreError> {
        let place = self.file.clone();
        blocking(move || place.profile()).await
    }

    async fn read(&self, columns: &[String], visit: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        let (place, columns) = (self.file.clone(), columns.to_vec());
        streaming(move |show| place.read(&columns, show), visit).await
    }

    async fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        let (place, plantings) = (self.file.clone(), plantings.to_vec());
        blocking(move || place.plant(&plantings)).await
    }

    async fn revise(&self, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
        let (place, revisions) = (self.file.clone(), revisions.to_vec());
        blocking(move || place.revise(&revisions)).await
    }

    async fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        let (place, placed) = (self.file.clone(), placed.to_vec());
        blocking(move || place.withdraw(&placed)).await
    }
}
