//! A folder of documents as a store. New files stand among the others with their mode, owner and age; what is there is
//! never overwritten, and links are never followed out of it.

mod look;
mod neighbours;
mod plant;
mod stage;
mod withdraw;

use crate::{
    domain::{
        placement::Planting,
        section::{Section, SectionError},
    },
    stores::store::{
        Columns, Entry, NewPlanting, Placed, Profile, Revision, Show, Store, StoreError, Stored, Takes, Withdrawal,
        blocking, streaming,
    },
};
use async_trait::async_trait;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The row of `stores::ALL`.
pub const ENTRY: Entry = Entry { kind: "folder", about: "a folder of documents", build };

/// Larger files are counted and not read.
pub const LARGEST: u64 = 32 << 20;

/// Which beacon the links in documents lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Beacon {
    /// The only one that is configured.
    #[default]
    Only,
    /// The sensor of this name.
    Named(String),
    /// Documents without links.
    None,
}

impl<'de> Deserialize<'de> for Beacon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(name) => Ok(Beacon::Named(name)),
            toml::Value::Boolean(false) => Ok(Beacon::None),
            _ => Err(D::Error::custom(
                "expected the name of a beacon or dns sensor, or false for documents without links",
            )),
        }
    }
}

/// The keys of a `folder` store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder.
    pub path: PathBuf,
    /// Where the documents' links lead to.
    #[serde(default)]
    pub beacon: Beacon,
    /// Documents have none: accepted empty only.
    #[serde(default)]
    pub columns: Columns,
    /// Documents have none: accepted empty only.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// The stores that this one is copied into.
    #[serde(default)]
    pub feeds: Vec<String>,
    /// A folder cannot answer queries: refused with a word on why.
    #[serde(default)]
    pub guard: Option<toml::Value>,
}

fn build(section: &Section) -> Result<Box<dyn Store>, SectionError> {
    let config: Config = section.read()?;
    let refuse =
        |key: &str| Err(SectionError::new(key, "a folder holds documents, which have no such thing: leave it out"));
    if config.guard.is_some() {
        return refuse("guard");
    }
    if config.columns != Columns::default() {
        return refuse("columns");
    }
    if !config.constants.is_empty() {
        return refuse("constants");
    }
    let root = section.path(&config.path);
    Ok(Box::new(Folder { place: Arc::new(Place { root, config, writing: Mutex::new(()) }) }))
}

struct Folder {
    place: Arc<Place>,
}

/// Where the folder is, and what the operator says of it.
struct Place {
    root: PathBuf,
    config: Config,
    /// One change at a time.
    writing: Mutex<()>,
}

/// The folder, locked against other changes of ours.
struct Held<'a> {
    _folder: File,
    _turn: MutexGuard<'a, ()>,
}

impl Place {
    /// Waits for the folder, and undoes what a crash left half done.
    fn hold(&self) -> Result<Held<'_>, StoreError> {
        let turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error| self.failed(&self.root, &error);
        let found = self.root.metadata().map_err(failed)?;
        if !found.is_dir() {
            return Err(self.refused(&self.root, "this is no folder: correct `path`"));
        }
        let folder = File::open(&self.root).map_err(failed)?;
        // Another process of ours; a file system without locks has none.
        let _ = folder.lock();
        stage::clear(&self.root).map_err(failed)?;
        Ok(Held { _folder: folder, _turn: turn })
    }

    fn refused(&self, path: &Path, why: &str) -> StoreError {
        StoreError::Refused(format!("{}: {why}", path.display()))
    }

    /// What the system says. Only the folder is named: the names of people's files are theirs.
    fn failed(&self, path: &Path, error: &io::Error) -> StoreError {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => StoreError::Refused(format!("{path}: there is no such folder: correct `path`")),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::Refused(format!(
                "{path}: {error}: give the service's user the right to read and write there"
            )),
            _ => StoreError::Retry(format!("{path}: {error}")),
        }
    }

    fn profile(&self) -> Result<Profile, StoreError> {
        let _held = self.hold()?;
        let readonly = self.root.metadata().is_ok_and(|found| found.permissions().readonly());
        if readonly || rustix::fs::access(&self.root, rustix::fs::Access::WRITE_OK).is_err() {
            return Err(self.refused(&self.root, "no right to write in this folder, which planting needs"));
        }
        let files = look::files(&self.root).map_err(|error| self.failed(&self.root, &error))?;
        files.tell_of_skipped(&self.root);
        Ok(Profile { rows: files.names.len() as u64, columns: Vec::new() })
    }

    fn read(&self, show: &mut Show<'_>) -> Result<(), StoreError> {
        let files = {
            let _held = self.hold()?;
            look::files(&self.root).map_err(|error| self.failed(&self.root, &error))?
        };
        files.tell_of_skipped(&self.root);
        for name in files.names {
            let bytes = match std::fs::read(self.root.join(&name)) {
                Ok(bytes) => bytes,
                // Somebody has taken it away just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.failed(&self.root, &error)),
            };
            if !show(Stored { locator: name.clone(), planting: Planting::Document { name, bytes } }) {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Folder {
    fn takes(&self) -> Takes {
        Takes::Documents
    }

    fn columns(&self) -> &Columns {
        &self.place.config.columns
    }

    fn constants(&self) -> &BTreeMap<String, String> {
        &self.place.config.constants
    }

    async fn profile(&self) -> Result<Profile, StoreError> {
        let place = self.place.clone();
        blocking(move || place.profile()).await
    }

    async fn read(&self, _: &[String], visit: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        let place = self.place.clone();
        streaming(move |show| place.read(show), visit).await
    }

    async fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        let (place, plantings) = (self.place.clone(), plantings.to_vec());
        blocking(move || place.plant(&plantings)).await
    }

    async fn revise(&self, _: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
        Err(StoreError::Refused("documents have no columns to change".to_owned()))
    }

    async fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        let (place, placed) = (self.place.clone(), placed.to_vec());
        blocking(move || place.withdraw(&placed)).await
    }
}
