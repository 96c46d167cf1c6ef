//! A folder in which analysts lay down leaked files: each that is new is read, whatever it is packed in. Nothing in it is
//! changed, and no link is followed.

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        collected::{
            Collected, Collection, Found,
            marks::{MOST, mark},
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "watched_folder", about: "a folder of leaked files that analysts collect", build };

const EVERY: Duration = Duration::from_secs(10);
/// A file that was written to so lately may not be whole.
const SETTLED: Duration = Duration::from_secs(2);
const DEPTH: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: PathBuf,
    every: Option<String>,
}

struct Folder {
    path: PathBuf,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let every = config.every.as_deref().map_or(Ok(EVERY), duration)?;
    let collection = Folder { path: section.path(&config.path) };
    Ok(Box::new(Collected { sensor: section.name.clone(), collection, every }))
}

/// How often it is looked.
fn duration(text: &str) -> Result<Duration, SectionError> {
    let read = text.parse::<jiff::SignedDuration>().ok().and_then(|every| Duration::try_from(every).ok());
    read.filter(|every| !every.is_zero())
        .ok_or_else(|| SectionError::new("every", format!("{text:?} is no duration: expected one such as 10s or 5m")))
}

#[async_trait]
impl Collection for Folder {
    fn origin(&self) -> String {
        format!("folder:{}", self.path.display())
    }

    fn blind(&self) -> &'static str {
        "the_folder_cannot_be_read"
    }

    async fn look(&self) -> Result<Vec<Found>, &'static str> {
        let path = self.path.clone();
        let walked = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            walk(&path, &path, DEPTH, &mut found).map(|()| found)
        });
        let mut found = walked.await.map_err(|_| "folder_unreadable")?.map_err(|_| "folder_unreadable")?;
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    async fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, &'static str> {
        let path = self.path.join(name);
        let opened = tokio::task::spawn_blocking(move || match fs::symlink_metadata(&path)?.is_file() {
            true => File::open(path).map(Some),
            false => Ok(None),
        });
        match opened.await.map_err(|_| "file_unreadable")? {
            Ok(file) => Ok(file.map(|file| Box::new(BufReader::new(file)) as Box<dyn Read + Send>)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err("file_unreadable"),
        }
    }
}

/// The files of a folder and of those in it, but hidden ones.
fn walk(root: &Path, folder: &Path, depth: usize, found: &mut Vec<Found>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, hidden) = (entry.path(), entry.file_name().as_encoded_bytes().starts_with(b"."));
        if hidden || found.len() > MOST {
            continue;
        }
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            // Taken away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // A name that is no text cannot be told; such a file is for `trace`.
        let name = path.strip_prefix(root).ok().and_then(Path::to_str);
        match name {
            _ if metadata.is_dir() && depth > 0 => match walk(root, &path, depth - 1, found) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
            Some(name) if metadata.is_file() => {
                // Moved, it is the same.
                let known = [metadata.ino(), metadata.size(), metadata.mtime() as u64, metadata.mtime_nsec() as u64];
                let parts = known.map(u64::to_be_bytes);
                let age = SystemTime::now().duration_since(metadata.modified()?).unwrap_or(SETTLED);
                let settled = age >= SETTLED;
                found.push(Found { mark: mark(&[parts.as_flattened()]), name: name.to_owned(), settled });
            }
            _ => {}
        }
    }
    Ok(())
}
