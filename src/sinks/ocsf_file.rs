//! Alerts as OCSF Detection Findings in a file, one a line, for whatever collects files. An alert counts as delivered once its
//! line is synced. A full file is put aside under the time at which it was full; what is put aside is left to whoever collects.

use crate::{
    domain::{
        alert::Alert,
        reason::reason,
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            finding::finding,
            options::{Options, read},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "ocsf_file",
    about: "OCSF Detection Findings in a file, one a line",
    build: OcsfFile::build,
    gathers: false,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: PathBuf,
    #[serde(default = "usual_size")]
    max_size: u64,
}

fn usual_size() -> u64 {
    100 * 1024 * 1024
}

struct OcsfFile {
    options: Options,
    path: PathBuf,
    max_size: u64,
    /// One line at a time.
    writing: Arc<Mutex<()>>,
}

impl OcsfFile {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        if config.max_size < 1024 * 1024 {
            return Err(SectionError::new("max_size", "at least 1048576, in bytes"));
        }
        let path = section.path(&config.path);
        if path.file_name().is_none() {
            return Err(SectionError::new("path", "expected a file, such as findings/telltale.ndjson"));
        }
        Ok(Box::new(OcsfFile { options, path, max_size: config.max_size, writing: Arc::default() }))
    }
}

/// Appends the line and syncs it. What a crash cut short is ended first, so that it spoils no other line.
fn append(path: &Path, line: &[u8], max_size: u64) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_new = !path.exists();
    let mut file = open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    if length > 0 && length + line.len() as u64 > max_size {
        file.sync_all()?;
        std::fs::rename(path, aside(path))?;
        file = open(path)?;
        File::open(folder)?.sync_all()?;
    } else if is_new {
        File::open(folder)?.sync_all()?;
    }
    let length = file.seek(SeekFrom::End(0))?;
    let mut whole = Vec::with_capacity(line.len() + 1);
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        whole.extend((last != *b"\n").then_some(b'\n'));
    }
    whole.extend_from_slice(line);
    let written = file.write_all(&whole).and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line is of no use to anybody; where it stays, the next one ends it.
        let _ = file.set_len(length);
    }
    written
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).mode(0o640).open(path)
}

/// `telltale-20261127T200000.123456789Z.ndjson` beside `telltale.ndjson`.
fn aside(path: &Path) -> PathBuf {
    let now = Timestamp::now();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|text| format!(".{}", text.to_string_lossy())).unwrap_or_default();
    let at = now.strftime("%Y%m%dT%H%M%S");
    path.with_file_name(format!("{stem}-{at}.{:09}Z{extension}", now.subsec_nanosecond().unsigned_abs()))
}

#[async_trait]
impl Sink for OcsfFile {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let line = format!("{}\n", finding(alert)).into_bytes();
        let (path, max_size, writing) = (self.path.clone(), self.max_size, self.writing.clone());
        let written = tokio::task::spawn_blocking(move || {
            let _alone = writing.lock().unwrap_or_else(PoisonError::into_inner);
            append(&path, &line, max_size)
        });
        let outcome = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        outcome.map(|()| Receipt { status: None, response: String::new() }).map_err(|error| SinkError::Retry {
            why: format!("{} cannot be written to: {}", self.path.display(), reason(&error)),
            status: None,
            after: None,
        })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let writable = match std::fs::metadata(&self.path) {
            Ok(found) if found.is_file() => OpenOptions::new().append(true).open(&self.path).map(drop),
            Ok(_) => Err(io::Error::other("it is no file")),
            Err(_) if folder.is_dir() => {
                rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).map_err(io::Error::from)
            }
            Err(_) => Err(io::Error::other("its folder does not exist: make it")),
        };
        writable.map_err(|error| anyhow::anyhow!("{}: {}", self.path.display(), reason(&error)))
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
