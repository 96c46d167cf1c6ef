//! The open ledger: it follows the journal, answers questions, and rebuilds itself when its store fails or tells of
//! another journal. Nobody waits for it before acknowledging anything.

use crate::{
    domain::record::Record,
    journal::{
        entry::Entry,
        log::{Journal, JournalError},
    },
    ledger::{
        engine::{Engine, EngineError},
        projection::{self, Head},
        row::{self, Key},
        sled::Sled,
        view::View,
    },
};
use serde::de::DeserializeOwned;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Rows and entries of one batch while catching up.
const BATCH_ROWS: usize = 4096;
const BATCH_ENTRIES: usize = 1024;
/// So long after an entry the follower takes it in. Whoever has to know at once settles: see `catch_up`.
const FOLLOWED_AFTER: Duration = Duration::from_millis(25);

/// A question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot make or clear the ledger's folder {}: {error}", .folder.display())]
    Folder { folder: PathBuf, error: io::Error },
}

/// The ledger of one data folder. Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    /// Holds one folder a build, numbered; the newest counts.
    folder: PathBuf,
    engine: RwLock<(u64, Arc<dyn Engine>)>,
    /// Held by the one that applies entries.
    head: Mutex<Head>,
    reached: watch::Sender<u64>,
    broken: AtomicBool,
    /// Whether it has caught up with the journal since it was opened or begun anew.
    whole: AtomicBool,
}

impl Ledger {
    /// Opens the ledger of the journal's data folder. If it does not open, or is not this journal's, it starts anew and
    /// is empty until `follow` or `catch_up` has read the journal.
    pub fn open(data: &Path, journal: &Journal) -> Result<Ledger, LedgerError> {
        let folder = data.join("ledger");
        let builds = builds(&folder).map_err(|error| LedgerError::Folder { folder: folder.clone(), error })?;
        let newest = builds.last().copied();
        let sound = newest.and_then(|build| {
            let engine = Sled::open(&folder.join(build.to_string()));
            match engine.and_then(|engine| Ok((stored_head(&engine)?, engine))) {
                Ok((head, engine)) if belongs(&head, journal) => Some((build, head, engine)),
                Ok(_) => {
                    tracing::warn!("the ledger tells of another journal; it is rebuilt");
                    None
                }
                Err(error) => {
                    tracing::warn!(%error, "the ledger did not open");
                    None
                }
            }
        });
        let (build, head, engine) = match sound {
            Some(sound) => sound,
            None => {
                let build = newest.map_or(1, |newest| newest + 1);
                (build, Head::default(), Sled::open(&folder.join(build.to_string()))?)
            }
        };
        for old in builds.iter().filter(|old| **old != build) {
            // A build that stays behind costs room and nothing else.
            let _ = fs::remove_dir_all(folder.join(old.to_string()));
        }
        Ok(Ledger(Arc::new(Inner {
            folder,
            engine: RwLock::new((build, Arc::new(engine))),
            reached: watch::Sender::new(head.seq),
            head: Mutex::new(head),
            broken: AtomicBool::new(false),
            whole: AtomicBool::new(false),
        })))
    }

    /// The last entry that it holds.
    pub fn head(&self) -> u64 {
        *self.0.reached.borrow()
    }

    /// Waits until it holds this entry.
    pub async fn reached(&self, seq: u64) {
        let _ = self.0.reached.subscribe().wait_for(|head| *head >= seq).await;
    }

    /// Takes one entry in: one atomic batch. An entry that it holds already changes nothing.
    pub fn apply(&self, entry: &Entry) -> Result<(), LedgerError> {
        let mut head = self.lock();
        if entry.seq > head.seq {
            let engine = self.engine();
            let mut view = View::new(engine.as_ref());
            self.watched(projection::project(&mut view, entry).and_then(|()| view.commit()))?;
            self.moved(&mut head, entry);
        }
        Ok(())
    }

    /// Takes in all that the journal holds by now, in large batches. Blocks; not for an async task.
    pub fn catch_up(&self, journal: &Journal) -> Result<(), LedgerError> {
        let mut head = self.lock();
        if self.0.broken.load(Ordering::Acquire) {
            self.start_anew(&mut head)?;
        }
        let engine = self.engine();
        let mut view = View::new(engine.as_ref());
        let (mut taken, mut last) = (0, None);
        for entry in journal.read(head.seq + 1) {
            let entry = entry?;
            self.watched(projection::project(&mut view, &entry))?;
            taken += 1;
            last = Some(entry);
            if taken >= BATCH_ENTRIES || view.len() >= BATCH_ROWS {
                self.watched(std::mem::replace(&mut view, View::new(engine.as_ref())).commit())?;
                taken = 0;
                last.take().iter().for_each(|entry| self.moved(&mut head, entry));
            }
        }
        if let Some(entry) = last {
            self.watched(view.commit())?;
            self.moved(&mut head, &entry);
        }
        self.0.whole.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether it knows all that the journal held a moment ago: what it does not find then is not there.
    pub fn is_whole(&self) -> bool {
        self.0.whole.load(Ordering::Acquire)
    }

    /// Follows the journal in the background until `stop`, then brings everything to the disk.
    pub fn follow(&self, journal: Journal, stop: CancellationToken) -> JoinHandle<()> {
        let ledger = self.clone();
        tokio::spawn(async move {
            let mut head = journal.watch();
            loop {
                head.mark_unchanged();
                let (at_work, source) = (ledger.clone(), journal.clone());
                let done = tokio::task::spawn_blocking(move || at_work.catch_up(&source)).await;
                let failed = match done {
                    Ok(Ok(())) => false,
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the ledger could not follow the journal; trying again");
                        true
                    }
                    Err(_) => {
                        tracing::error!("the ledger's store panicked; it is rebuilt from the journal");
                        ledger.0.broken.store(true, Ordering::Release);
                        true
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => break,
                    changed = head.changed(), if !failed => {
                        if changed.is_err() {
                            break;
                        }
                        // Its work for a canary must not delay the answer to that canary, which would tell it.
                        tokio::time::sleep(FOLLOWED_AFTER).await;
                    },
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
            let _ = tokio::task::spawn_blocking(move || {
                let _ = ledger.catch_up(&journal);
                ledger.sync()
            })
            .await;
        })
    }

    /// Brings everything to the disk, which spares the next start some reading.
    pub fn sync(&self) -> Result<(), LedgerError> {
        self.watched(self.engine().sync())
    }

    /// Forgets everything and reads the journal anew: after a key was erased, or to win back room. Blocks.
    pub fn rebuild(&self, journal: &Journal) -> Result<(), LedgerError> {
        self.0.broken.store(true, Ordering::Release);
        self.catch_up(journal)
    }

    /// Every row, for comparing two ledgers: a digest of keys and values.
    pub fn digest(&self) -> Result<[u8; 32], LedgerError> {
        use sha2::{Digest, Sha256};
        let mut digest = Sha256::new();
        for row in self.engine().scan(&[], None) {
            let (key, value) = row?;
            for bytes in [key, value] {
                digest.update((bytes.len() as u64).to_le_bytes());
                digest.update(bytes);
            }
        }
        Ok(digest.finalize().into())
    }

    fn start_anew(&self, head: &mut Head) -> Result<(), LedgerError> {
        let mut engine = self.0.engine.write().unwrap_or_else(PoisonError::into_inner);
        let build = engine.0 + 1;
        *engine = (build, Arc::new(Sled::open(&self.0.folder.join(build.to_string()))?));
        *head = Head::default();
        self.0.whole.store(false, Ordering::Release);
        self.0.reached.send_replace(0);
        self.0.broken.store(false, Ordering::Release);
        Ok(())
    }

    fn moved(&self, head: &mut Head, entry: &Entry) {
        *head = Head { seq: entry.seq, leaf: entry.leaf };
        self.0.reached.send_replace(entry.seq);
    }

    fn lock(&self) -> MutexGuard<'_, Head> {
        self.0.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn engine(&self) -> Arc<dyn Engine> {
        self.0.engine.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// A failing store is noted: the follower rebuilds it.
    fn watched<T>(&self, answer: Result<T, EngineError>) -> Result<T, LedgerError> {
        if answer.is_err() {
            self.0.broken.store(true, Ordering::Release);
        }
        Ok(answer?)
    }

    pub(crate) fn one<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, LedgerError> {
        let value = self.engine().get(key.as_slice());
        self.watched(value.and_then(|value| value.map(|value| row::decode(&value)).transpose()))
    }

    /// Shows rows under a prefix until told to end.
    pub(crate) fn each(
        &self,
        prefix: &Key,
        from: Option<&Key>,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, EngineError>,
    ) -> Result<(), LedgerError> {
        let engine = self.engine();
        for row in engine.scan(prefix.as_slice(), from.map(Key::as_slice)) {
            if !self.watched(row.and_then(|(key, value)| visit(&key, &value)))? {
                break;
            }
        }
        Ok(())
    }

    /// As `each`, the last row first, from before this key on.
    pub(crate) fn each_back(
        &self,
        prefix: &Key,
        before: Option<&Key>,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, EngineError>,
    ) -> Result<(), LedgerError> {
        let engine = self.engine();
        for row in engine.scan_back(prefix.as_slice(), before.map(Key::as_slice)) {
            if !self.watched(row.and_then(|(key, value)| visit(&key, &value)))? {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn all<T>(
        &self,
        prefix: &Key,
        mut read: impl FnMut(&[u8], &[u8]) -> Result<T, EngineError>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut found = Vec::new();
        self.each(prefix, None, |key, value| {
            found.push(read(key, value)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// What an entry tells; none where there is none, or its key was erased.
    pub(crate) fn record(&self, journal: &Journal, seq: u64) -> Result<Option<Record>, LedgerError> {
        Ok(journal.get(seq)?.and_then(|entry| entry.record.ok()))
    }
}

fn stored_head(engine: &dyn Engine) -> Result<Head, EngineError> {
    match engine.get(projection::head_key().as_slice())? {
        Some(value) => row::decode(&value),
        // Rows without a head are of no journal.
        None if engine.scan(&[], None).next().is_some() => Err(EngineError::Damaged),
        None => Ok(Head::default()),
    }
}

fn belongs(head: &Head, journal: &Journal) -> bool {
    head.seq == 0 || matches!(journal.leaf(head.seq), Ok(Some(leaf)) if leaf == head.leaf)
}

fn builds(folder: &Path) -> io::Result<Vec<u64>> {
    fs::create_dir_all(folder)?;
    let mut found: Vec<u64> = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}
