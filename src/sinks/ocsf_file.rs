//! Alerts as OCSF Detection Findings in a file, one a line, for whatever collects files. An alert counts as delivered once its
//! line is synced, and its file's name with it. A full file is put aside under the time at which it was full; what is put aside is left to whoever collects.

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
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, time::timeout};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "ocsf_file",
    about: "OCSF Detection Findings in a file, one a line",
    build: OcsfFile::build,
    gathers: false,
};

const TOTAL_TIME: Duration = Duration::from_secs(15);

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
    turn: Turn,
}

/// One line at a time, and none behind a disk that hangs: who comes then is sent away at once.
struct Turn {
    /// Whether the folder is still to be synced: names in it may not last. So it is at first, since nobody knows what an
    /// earlier run left.
    owed: Arc<Mutex<bool>>,
    stuck: AtomicBool,
}

impl Turn {
    fn new() -> Turn {
        Turn { owed: Arc::new(Mutex::new(true)), stuck: AtomicBool::new(false) }
    }

    /// Waits for its turn and writes, both within this time. A write that takes longer goes on, and keeps the turn.
    async fn write(
        &self,
        time: Duration,
        write: impl FnOnce(&mut bool) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer");
        let whole = async {
            let mut owed = match self.owed.clone().try_lock_owned() {
                Ok(owed) => owed,
                Err(_) if self.stuck.load(Ordering::Acquire) => return Err(late()),
                Err(_) => self.owed.clone().lock_owned().await,
            };
            self.stuck.store(false, Ordering::Release);
            let written = tokio::task::spawn_blocking(move || write(&mut owed));
            written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        timeout(time, whole).await.unwrap_or_else(|_| {
            self.stuck.store(true, Ordering::Release);
            Err(late())
        })
    }
}

impl OcsfFile {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        options.refuse(true, true, "a file is reached by no network")?;
        if config.max_size < 1024 * 1024 {
            return Err(SectionError::new("max_size", "at least 1048576, in bytes"));
        }
        let path = section.path(&config.path);
        if path.file_name().is_none() {
            return Err(SectionError::new("path", "expected a file, such as findings/telltale.ndjson"));
        }
        Ok(Box::new(OcsfFile { options, path, max_size: config.max_size, turn: Turn::new() }))
    }
}

/// Makes the names in a folder last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Appends the line and syncs it. What a crash cut short is ended first, so that it spoils no other line; a folder that could
/// not be synced before is synced first.
fn append(
    path: &Path,
    line: &[u8],
    max_size: u64,
    owed: &mut bool,
    sync_folder: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    *owed |= !path.exists();
    let mut file = open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    if length > 0 && length + line.len() as u64 > max_size {
        file.sync_all()?;
        *owed = true;
        std::fs::rename(path, aside(path))?;
        file = open(path)?;
    }
    if *owed {
        sync_folder(folder)?;
        *owed = false;
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
        let (path, max_size) = (self.path.clone(), self.max_size);
        let write = move |owed: &mut bool| append(&path, &line, max_size, owed, sync_folder);
        let outcome = self.turn.write(TOTAL_TIME, write).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, time::Instant};

    #[test]
    fn a_folder_that_could_not_be_synced_is_synced_before_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("telltale.ndjson");
        let (asked, fails) = (Cell::new(0), Cell::new(true));
        let sync = |_: &Path| {
            asked.set(asked.get() + 1);
            if fails.get() { Err(io::Error::other("not now")) } else { Ok(()) }
        };
        let mut owed = false;
        let mut line = |size: u64| append(&path, b"0123456789\n", size, &mut owed, sync);
        line(100).unwrap_err();
        line(100).unwrap_err();
        assert_eq!(asked.get(), 2, "the file is there by now, and its name is not");
        fails.set(false);
        line(100).unwrap();
        line(100).unwrap();
        assert_eq!(asked.get(), 3, "once it is, nothing is owed");
        // The same after a full file was put aside.
        fails.set(true);
        line(25).unwrap_err();
        line(25).unwrap_err();
        fails.set(false);
        line(25).unwrap();
        assert_eq!(asked.get(), 6);
        assert_eq!(std::fs::read(&path).unwrap().len(), 11);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disk_that_hangs_holds_up_one_line_and_sends_the_others_away_at_once() {
        let turn = Turn::new();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let short = Duration::from_millis(100);
        let hangs = move |_: &mut bool| {
            let _ = wait.recv();
            Ok(())
        };
        assert_eq!(turn.write(short, hangs).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let began = Instant::now();
        turn.write(TOTAL_TIME, |_| Ok(())).await.unwrap_err();
        assert!(began.elapsed() < TOTAL_TIME / 2, "{:?}", began.elapsed());
        go_on.send(()).unwrap();
        while turn.write(TOTAL_TIME, |_| Ok(())).await.is_err() {
            assert!(began.elapsed() < TOTAL_TIME);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
