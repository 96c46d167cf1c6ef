//! A folder in which analysts lay down leaked files: each that is new is read, whatever it is packed in. Nothing in it is
//! changed, and no link is followed.

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        collected::{
            Closed, Collected, Collection, Found, Looked,
            marks::{MOST, Mark, mark},
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use rustix::{fs::OFlags, io::Errno};
use serde::Deserialize;
use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "watched_folder", about: "a folder of leaked files that analysts collect", build };

const EVERY: Duration = Duration::from_secs(10);
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

    async fn look(&self) -> Result<Looked, &'static str> {
        let path = self.path.clone();
        let walked = tokio::task::spawn_blocking(move || {
            let mut looked = Looked::default();
            walk(&path, &path, DEPTH, &mut looked).map(|()| looked)
        });
        let mut looked = walked.await.map_err(|_| "folder_unreadable")?.map_err(|_| "folder_unreadable")?;
        looked.files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(looked)
    }

    async fn open(&self, file: &Found) -> Result<Option<Box<dyn Read + Send>>, Closed> {
        let (path, wanted) = (self.path.join(&file.name), file.mark);
        let opened = tokio::task::spawn_blocking(move || {
            // It may have become a link or a pipe since it was looked at.
            let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
            let file = File::options().read(true).custom_flags(flags as i32).open(path)?;
            let metadata = file.metadata()?;
            Ok::<_, io::Error>((metadata.is_file() && of(&metadata) == wanted).then_some(Unchanged { file, wanted }))
        });
        match opened.await.map_err(|_| Closed::File("file_not_opened"))? {
            Ok(file) => Ok(file.map(|file| Box::new(file) as Box<dyn Read + Send>)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Ok(None),
                io::ErrorKind::PermissionDenied => Err(Closed::File("file_not_allowed")),
                _ => Err(Closed::File("file_not_opened")),
            },
        }
    }
}

/// What a file and no other is: moved, it is the same.
fn of(metadata: &Metadata) -> Mark {
    let known = [metadata.ino(), metadata.size(), metadata.mtime() as u64, metadata.mtime_nsec() as u64];
    mark(&[known.map(u64::to_be_bytes).as_flattened()])
}

/// A file that must not change while it is read.
struct Unchanged {
    file: File,
    wanted: Mark,
}

impl Read for Unchanged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        match count == 0 && !buffer.is_empty() && of(&self.file.metadata()?) != self.wanted {
            true => Err(io::Error::other("it was written to while it was read")),
            false => Ok(count),
        }
    }
}

/// The files of a folder and of those in it, but hidden ones.
fn walk(root: &Path, folder: &Path, depth: usize, looked: &mut Looked) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, hidden) = (entry.path(), entry.file_name().as_encoded_bytes().starts_with(b"."));
        if hidden || looked.files.len() > MOST {
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
            _ if metadata.is_dir() && depth > 0 => match walk(root, &path, depth - 1, looked) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => looked.skipped += 1,
                _ => {}
            },
            Some(name) if metadata.is_file() => {
                looked.files.push(Found { mark: of(&metadata), name: name.to_owned(), settled: false });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write as _, os::unix::fs::symlink};

    fn found(folder: &Folder, name: &str) -> Found {
        let metadata = fs::symlink_metadata(folder.path.join(name)).expect("there");
        Found { mark: of(&metadata), name: name.to_owned(), settled: true }
    }

    #[tokio::test]
    async fn what_became_another_meanwhile_is_not_read() {
        let (path, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let folder = Folder { path: path.path().to_owned() };
        let at = path.path().join("a.csv");
        fs::write(&at, b"first").expect("written");
        let seen = found(&folder, "a.csv");
        let mut text = String::new();
        let mut opened = folder.open(&seen).await.expect("open").expect("there");
        opened.read_to_string(&mut text).expect("unchanged");
        assert_eq!(text, "first");
        // Written to while it is read.
        let mut opened = folder.open(&seen).await.expect("open").expect("there");
        File::options().append(true).open(&at).expect("there").write_all(b", and more").expect("written");
        assert!(opened.read_to_string(&mut text).is_err());
        // Before it is opened; and then a link, a pipe, and nothing.
        assert!(folder.open(&seen).await.expect("no fault").is_none());
        fs::rename(&at, outside.path().join("a.csv")).expect("moved");
        symlink(outside.path().join("a.csv"), &at).expect("linked");
        let linked = Found { mark: of(&fs::metadata(&at).expect("there")), ..found(&folder, "a.csv") };
        assert!(folder.open(&linked).await.expect("no fault").is_none());
        fs::remove_file(&at).expect("removed");
        rustix::fs::mkfifoat(rustix::fs::CWD, &at, rustix::fs::Mode::RUSR).expect("a pipe");
        assert!(folder.open(&found(&folder, "a.csv")).await.expect("no fault").is_none());
        fs::remove_file(&at).expect("removed");
        assert!(folder.open(&seen).await.expect("no fault").is_none());
    }
}
