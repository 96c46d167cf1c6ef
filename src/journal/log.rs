//! The open journal: what the rest of the house holds. It appends, counts strangers and reads back; an `Ok` means that
//! the entry is on stable storage. It never changes or removes an entry.

use crate::{
    domain::{reason::reason, record::Record},
    journal::{
        checkpoint::{Checkpoint, Signer, Vkey},
        counts::{Counts, Stranger},
        disk,
        entry::Entry,
        frame::{self, Mark},
        key_ref::KeyRef,
        keyring::Keyring,
        lock::{FolderLock, LockError},
        reader::Entries,
        recovery::{self, Position, Unsound},
        segment,
        writer::{Item, Order, Writer, this_minute},
    },
};
use jiff::Timestamp;
use std::{
    fs::{self, File},
    io,
    net::IpAddr,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Instant,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use zeroize::Zeroizing;

/// Kibibytes of records that may wait for the writer; whoever brings more waits with it.
const ROOM: u32 = 64 << 10;

/// A stranger's touch is never padded beyond this.
const LONGEST_TOUCH: usize = 128 << 10;

/// The entry is not on stable storage, and may never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDurable {
    /// A write or sync failed, and nobody knows what the disk holds: nothing is acknowledged until a restart.
    #[error("the journal stopped after a failed write: look at the disk, then start telltale again")]
    Stopped,
    /// The disk is full; the same append succeeds once there is room.
    #[error("the disk of the data folder is full: make room, and telltale goes on by itself")]
    Full,
    /// The checkpoint could not be written. No entry hangs on it.
    #[error("the journal's checkpoint could not be written, and is tried again: look at the disk of the data folder")]
    Unsigned,
    /// The record's data key was erased, or never made.
    #[error("there is no data key of {0}: it was erased, or nothing was planned under it")]
    NoKey(KeyRef),
    /// No entry may be this long.
    #[error("the record is longer than an entry may be ({} MiB)", frame::LONGEST >> 20)]
    TooLong,
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// Why the journal did not open, or an entry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Unsound(#[from] Unsound),
    #[error("{} is not this journal's checkpoint ({what}): if the keyring is the right one, somebody changed it; move it aside to open without it", .path.display())]
    Checkpoint { path: PathBuf, what: String },
    #[error("cannot read or write {}: {}", .path.display(), reason(.error))]
    Io { path: PathBuf, error: io::Error },
    #[error("entry {seq} cannot be read: {what}")]
    Unreadable { seq: u64, what: &'static str },
}

/// What writer and readers share.
pub(crate) struct Shared {
    pub data: PathBuf,
    pub keyring: Arc<Keyring>,
    pub signer: Signer,
    pub stopped: AtomicBool,
    pub head: watch::Sender<u64>,
    positions: RwLock<Vec<Position>>,
    segments: RwLock<Vec<u64>>,
    /// The files that were read last.
    files: Mutex<Vec<(usize, Arc<File>)>>,
}

/// The journal of one data folder. Clones are the same journal.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    room: Arc<Semaphore>,
    writer: Mutex<Option<JoinHandle<()>>>,
    head: watch::Receiver<u64>,
}

impl Journal {
    /// Opens the journal of a data folder, or begins it: takes the folder's lock, checks every frame, cuts a torn end off.
    pub fn open(data: &Path, keyring: Arc<Keyring>, origin: &str) -> Result<Journal, JournalError> {
        Journal::open_with(data, keyring, origin, segment::FULL)
    }

    /// As `open`, with segments of `full` bytes.
    pub fn open_with(data: &Path, keyring: Arc<Keyring>, origin: &str, full: u64) -> Result<Journal, JournalError> {
        let lock = FolderLock::take(data)?;
        let folder = segment::folder(data);
        let io = |error| JournalError::Io { path: folder.clone(), error };
        let disks = keyring.disks().clone();
        disk::make_folder(disks.as_ref(), &folder).map_err(io)?;
        let signer = Signer::new(origin, &keyring.derive("checkpoint"));
        let checkpoint = read_checkpoint(&folder.join("checkpoint"), &keyring)?;
        let mut found = recovery::recover(data, checkpoint)?;
        if found.torn > 0 {
            tracing::warn!(bytes = found.torn, "a torn end, never acknowledged, was cut off the journal");
        }
        let head = found.tree.size();
        if found.segments.is_empty() {
            found.segments.push(1);
        }
        let first = found.segments[found.segments.len() - 1];
        let mut last = disk::begin(disks.as_ref(), &segment::path(data, first), found.length).map_err(io)?;
        if found.length == 0 {
            let header = segment::Header { first, previous: found.previous }.to_bytes();
            last.append(&header).map_err(io)?;
            found.length = header.len() as u64;
        } else if !found.unproven.is_empty() {
            // Where a sync failed, the kernel may show what the disk never got, and take it for written.
            last.again(found.proven, &found.unproven).map_err(io)?;
        }
        last.sync().and_then(|()| disks.sync_folder(&folder)).map_err(io)?;
        let house =
            keyring.key(KeyRef::House).ok_or(JournalError::Unreadable { seq: 0, what: "there is no house key" })?;
        let counts = Counts::open(data, disks.clone(), house.clone(), head, found.last_fold).map_err(io)?;
        let (sender, receiver) = watch::channel(head);
        let segment = found.segments.len() - 1;
        let shared = Arc::new(Shared {
            data: data.to_owned(),
            keyring,
            signer,
            stopped: AtomicBool::new(false),
            head: sender,
            positions: RwLock::new(found.positions),
            segments: RwLock::new(found.segments),
            files: Mutex::new(Vec::new()),
        });
        let writer = Writer {
            shared: shared.clone(),
            disks,
            disk: last,
            length: found.length,
            full,
            segment,
            previous: found.previous,
            tree: found.tree,
            counts,
            house,
            signed: checkpoint.map(|checkpoint| checkpoint.size),
            signed_at: Instant::now(),
            stopped: false,
            uncut: false,
            _lock: lock,
        };
        let (orders, received) = mpsc::channel();
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(received));
        Ok(Journal(Arc::new(Inner {
            shared,
            orders: Mutex::new(Some(orders)),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            writer: Mutex::new(Some(thread.map_err(io)?)),
            head: receiver,
        })))
    }

    /// Appends a record as of now; answers its number once it is durable.
    pub async fn append(&self, record: &Record) -> Result<u64, NotDurable> {
        self.append_at(std::slice::from_ref(record), Timestamp::now()).await.map(|range| range.start)
    }

    /// Appends records as of now, all of them in this order or none, whatever happens meanwhile.
    pub async fn append_all(&self, records: &[Record]) -> Result<Range<u64>, NotDurable> {
        self.append_at(records, Timestamp::now()).await
    }

    /// Appends records as of a time that the caller knows.
    pub async fn append_at(&self, records: &[Record], at: Timestamp) -> Result<Range<u64>, NotDurable> {
        if records.is_empty() {
            let next = self.head() + 1;
            return Ok(next..next);
        }
        let mut items = Vec::with_capacity(records.len());
        let mut size = 0;
        for (number, record) in (1..).zip(records) {
            let text = Zeroizing::new(serde_json::to_vec(record).map_err(|_| NotDurable::TooLong)?);
            if text.len() > frame::LONGEST - frame::HEADER - crate::journal::seal::OVERHEAD {
                return Err(NotDurable::TooLong);
            }
            size += text.len();
            let key = KeyRef::of(record);
            let data_key = self.0.shared.keyring.key(key).ok_or(NotDurable::NoKey(key))?;
            let mark = if matches!(record, Record::Strangers { .. }) { Mark::Folds } else { Mark::Ordinary };
            items.push(Item { key, data_key, at, text, mark, more: number < records.len() });
        }
        let room = self.room(size).await?;
        let (done, answer) = oneshot::channel();
        self.order(Order::Append { items, done, _room: room })?;
        answer.await.unwrap_or(Err(NotDurable::Closed))
    }

    /// Counts a stranger's touch, which takes as long as an entry whose record is `length` bytes long.
    pub async fn count(&self, sensor: &str, source: Option<IpAddr>, length: usize) -> Result<(), NotDurable> {
        let length = length.min(LONGEST_TOUCH);
        let room = self.room(length).await?;
        let (done, answer) = oneshot::channel();
        let touch = Stranger::new(sensor, source, this_minute(), length);
        self.order(Order::Count { touch, done, _room: room })?;
        answer.await.unwrap_or(Err(NotDurable::Closed))
    }

    /// Number of the last durable entry; 0 for none.
    pub fn head(&self) -> u64 {
        *self.0.head.borrow()
    }

    /// Tells of each new head.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.head.clone()
    }

    /// Whether a failed write has stopped it: the blind alarm.
    pub fn stopped(&self) -> bool {
        self.0.shared.stopped.load(Ordering::Acquire)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.0.shared.data
    }

    /// The keys that it seals with.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.0.shared.keyring
    }

    /// What its checkpoints are checked with.
    pub fn vkey(&self) -> &Vkey {
        self.0.shared.signer.vkey()
    }

    /// The entries from a number on, up to the head of this moment.
    pub fn read(&self, from: u64) -> Entries {
        Entries::new(self.0.shared.clone(), from.max(1), self.head())
    }

    /// One entry; none where there is none of this number.
    pub fn get(&self, seq: u64) -> Result<Option<Entry>, JournalError> {
        if seq == 0 || seq > self.head() {
            return Ok(None);
        }
        Entries::new(self.0.shared.clone(), seq, seq).next().transpose()
    }

    /// The leaf of an entry; none where there is none of this number.
    pub fn leaf(&self, seq: u64) -> Result<Option<[u8; 32]>, JournalError> {
        if seq == 0 || seq > self.head() {
            return Ok(None);
        }
        Entries::new(self.0.shared.clone(), seq, seq).leaf().transpose()
    }

    /// Folds the open minute and signs a checkpoint over all that is durable; answers it, and the note.
    pub async fn checkpoint(&self) -> Result<(Checkpoint, String), NotDurable> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Checkpoint { done })?;
        answer.await.unwrap_or(Err(NotDurable::Closed))
    }

    /// Folds the open minute, signs a last checkpoint and lets go of the folder. Later appends answer `Closed`.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.order(Order::Close { done }).is_ok() {
            let _ = closed.await;
        }
    }

    /// Length of the segment with this index, up to the end of entry `head`: for a backup.
    pub(crate) fn segments_up_to(&self, head: u64) -> Result<Vec<(u64, u64)>, JournalError> {
        let segments = self.0.shared.segments.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut found = Vec::new();
        for (index, first) in segments.iter().enumerate().filter(|(_, first)| **first <= head.max(1)) {
            let last = segments.get(index + 1).map_or(head, |next| head.min(next - 1));
            let length = match last.checked_sub(*first) {
                None => segment::HEADER as u64,
                Some(_) => Entries::new(self.0.shared.clone(), last, last).end()?,
            };
            found.push((*first, length));
        }
        Ok(found)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, NotDurable> {
        let kibibytes = u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM).min(ROOM);
        self.0.room.clone().acquire_many_owned(kibibytes).await.map_err(|_| NotDurable::Closed)
    }

    fn order(&self, order: Order) -> Result<(), NotDurable> {
        let orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.as_ref().ok_or(NotDurable::Closed)?.send(order).map_err(|_| NotDurable::Closed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.orders.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}

impl Shared {
    /// These entries are durable now.
    pub fn add(&self, more: Vec<Position>) {
        let mut positions = self.positions.write().unwrap_or_else(PoisonError::into_inner);
        positions.extend(more);
        let head = positions.len() as u64;
        drop(positions);
        self.head.send_replace(head);
    }

    /// A segment was begun; answers its index.
    pub fn begin(&self, first: u64) -> usize {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.push(first);
        segments.len() - 1
    }

    pub fn checkpoint_path(&self) -> PathBuf {
        segment::folder(&self.data).join("checkpoint")
    }

    pub fn position(&self, seq: u64) -> Option<Position> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.positions.read().unwrap_or_else(PoisonError::into_inner).get(index).copied()
    }

    pub fn file(&self, segment: usize) -> Result<Arc<File>, JournalError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = files.iter().find(|(index, _)| *index == segment) {
            return Ok(file.clone());
        }
        let first = self.segments.read().unwrap_or_else(PoisonError::into_inner)[segment];
        let path = segment::path(&self.data, first);
        let file = Arc::new(File::open(&path).map_err(|error| JournalError::Io { path, error })?);
        if files.len() >= 16 {
            files.remove(0);
        }
        files.push((segment, file.clone()));
        Ok(file)
    }
}

/// The last checkpoint, if it is this keyring's. It keeps the name it was signed under: an organisation may be renamed.
fn read_checkpoint(path: &Path, keyring: &Keyring) -> Result<Option<Checkpoint>, JournalError> {
    let note = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::Io { path: path.to_owned(), error }),
    };
    let origin = note.lines().next().unwrap_or_default();
    let vkey = Signer::new(origin, &keyring.derive("checkpoint")).vkey().clone();
    vkey.check(&note)
        .map(Some)
        .map_err(|error| JournalError::Checkpoint { path: path.to_owned(), what: error.to_string() })
}
