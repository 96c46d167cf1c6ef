//! The default engine: sled, with what it needs to survive a kill. It is opened on a folder of its own and never asked
//! to be the truth.

use crate::ledger::engine::{Change, Engine, EngineError, Row, Rows};
use std::{
    fs, io, panic,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Memory that sled may use for its pages.
const CACHE: u64 = 8 << 20;

/// How sled says that somebody holds its file, and how long that is waited for.
const HELD: [&str; 2] = ["could not acquire lock", "WouldBlock"];
const PATIENCE: Duration = Duration::from_secs(10);

/// A sled database.
pub struct Sled {
    // One tree: batches are atomic per tree only.
    tree: sled::Tree,
    folder: PathBuf,
}

impl Sled {
    /// Opens or makes the database in a folder.
    pub fn open(folder: &Path) -> Result<Sled, EngineError> {
        remove_half_snapshots(folder).map_err(|error| EngineError::Failed(error.to_string()))?;
        let begun = Instant::now();
        loop {
            match Self::try_open(folder) {
                // The data folder is locked: what holds the store is a former one of this process, whose last writes go on
                // for a moment after it was closed.
                Err(error)
                    if HELD.iter().all(|part| error.to_string().contains(part)) && begun.elapsed() < PATIENCE =>
                {
                    thread::sleep(Duration::from_millis(20));
                }
                opened => return opened,
            }
        }
    }

    fn try_open(folder: &Path) -> Result<Sled, EngineError> {
        // Some damage makes sled panic instead of answering an error.
        let opened = panic::catch_unwind(|| {
            sled::Config::new()
                .path(folder)
                .mode(sled::Mode::LowSpace)
                .cache_capacity(CACHE)
                .flush_every_ms(Some(100))
                .open()
                .and_then(|database| database.open_tree("ledger"))
        });
        match opened {
            Ok(Ok(tree)) => Ok(Sled { tree, folder: folder.to_owned() }),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(EngineError::Failed("sled panicked while it opened".to_owned())),
        }
    }
}

impl Sled {
    /// The rows from one key on and before another, or to the end; none where that comes first.
    fn range(&self, start: &[u8], end: Option<Vec<u8>>) -> sled::Iter {
        match end {
            Some(end) if start < end.as_slice() => self.tree.range(start..end.as_slice()),
            Some(end) => self.tree.range(end.clone()..end),
            None => self.tree.range(start..),
        }
    }
}

impl Engine for Sled {
    fn apply(&self, changes: Vec<Change>) -> Result<(), EngineError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.tree.apply_batch(batch).map_err(failed)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.tree.get(key).map_err(failed)?.map(|value| value.to_vec()))
    }

    fn scan<'a>(&'a self, prefix: &[u8], from: Option<&[u8]>) -> Rows<'a> {
        let start = from.filter(|from| *from > prefix).unwrap_or(prefix);
        Box::new(self.range(start, end_of(prefix)).map(row))
    }

    fn scan_back<'a>(&'a self, prefix: &[u8], before: Option<&[u8]>) -> Rows<'a> {
        let end = match (before, end_of(prefix)) {
            (Some(before), Some(end)) => Some(end.min(before.to_vec())),
            (before, end) => before.map(<[u8]>::to_vec).or(end),
        };
        Box::new(self.range(prefix, end).rev().map(row))
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.tree.flush().map_err(failed)?;
        // sled's flush leaves the file's length and the disk's cache aside.
        let file = fs::File::open(self.folder.join("db")).and_then(|file| file.sync_data());
        file.map_err(|error| EngineError::Failed(error.to_string()))
    }
}

fn row(row: sled::Result<(sled::IVec, sled::IVec)>) -> Result<Row, EngineError> {
    row.map(|(key, value)| (key.to_vec(), value.to_vec())).map_err(failed)
}

/// The first key behind all that start with `prefix`.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

/// A kill during a snapshot leaves a half file that sled would take for the newest snapshot, and then refuse to open
/// for ever. The snapshot before it, and the log, are whole.
fn remove_half_snapshots(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn failed(error: sled::Error) -> EngineError {
    EngineError::Failed(error.to_string())
}
