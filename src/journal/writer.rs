//! The one thread that writes. Group commit: it takes all that waits, writes it once, syncs once, and only then
//! answers. After a failed write it answers "not durable"; after a failed sync it does so until the journal is reopened,
//! because nobody can know what the disk holds. It judges nothing that it writes.

use crate::journal::{
    checkpoint::Checkpoint,
    counts::{Counts, Stranger},
    disk::{self, Disk, Disks},
    frame::{Frame, Mark},
    key_ref::KeyRef,
    lock::FolderLock,
    log::{NotDurable, Shared},
    merkle::{self, Hash, Tree},
    recovery::Position,
    seal::{self, DataKey},
    segment,
};
use jiff::Timestamp;
use std::{
    io,
    ops::Range,
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use zeroize::Zeroizing;

/// At most this many orders share one commit.
const BATCH: usize = 4096;
/// A batch is closed once its bodies are this long.
const BATCH_BYTES: usize = 8 << 20;
/// A checkpoint is signed at most this often while entries come in.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(3);

/// One record on its way, not sealed yet: the seal is bound to its number.
pub(crate) struct Item {
    pub key: KeyRef,
    pub data_key: DataKey,
    pub at: Timestamp,
    pub text: Zeroizing<Vec<u8>>,
    pub mark: Mark,
    /// Not the last of its append.
    pub more: bool,
}

/// What the writer is asked to do.
pub(crate) enum Order {
    Append {
        items: Vec<Item>,
        done: oneshot::Sender<Result<Range<u64>, NotDurable>>,
        _room: OwnedSemaphorePermit,
    },
    Count {
        touch: Stranger,
        done: oneshot::Sender<Result<(), NotDurable>>,
        _room: OwnedSemaphorePermit,
    },
    /// Folds the open minute and signs a checkpoint.
    Checkpoint {
        done: oneshot::Sender<Result<(Checkpoint, String), NotDurable>>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
}

pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    pub disks: Arc<dyn Disks>,
    pub disk: Box<dyn Disk>,
    pub length: u64,
    /// Length at which a segment is left for a new one.
    pub full: u64,
    pub segment: usize,
    pub previous: Hash,
    pub tree: Tree,
    pub counts: Counts,
    pub house: DataKey,
    pub signed: Option<u64>,
    pub signed_at: Instant,
    pub stopped: bool,
    /// What a full disk took only in part is still behind `length`.
    pub uncut: bool,
    pub _lock: FolderLock,
}

impl Writer {
    /// Works until it is told to close, or nobody can tell it anything any more.
    pub fn run(mut self, orders: mpsc::Receiver<Order>) {
        loop {
            let mut batch = Vec::new();
            match orders.recv_timeout(self.patience()) {
                Ok(first) => gather(first, &orders, &mut batch),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.finish(),
            }
            if let Some(done) = self.carry_out(batch) {
                self.finish();
                drop(self);
                let _ = done.send(());
                return;
            }
            self.tick();
        }
    }

    /// How long it may sleep before something is due.
    fn patience(&self) -> Duration {
        let mut patience = Duration::from_secs(3600);
        if !self.stopped && !self.counts.is_empty() {
            let over = (self.counts.minute() + 1).saturating_mul(60_000) - Timestamp::now().as_millisecond();
            patience = patience.min(Duration::from_millis(over.clamp(1, 60_000) as u64));
        }
        if !self.stopped && self.signed != Some(self.tree.size()) {
            let since = self.signed_at.elapsed();
            patience = patience.min(CHECKPOINT_EVERY.saturating_sub(since).max(Duration::from_millis(1)));
        }
        patience
    }

    fn tick(&mut self) {
        if !self.stopped && !self.counts.is_empty() && this_minute() > self.counts.minute() {
            let _ = self.write(Vec::new(), true);
        }
        if self.signed != Some(self.tree.size()) && self.signed_at.elapsed() >= CHECKPOINT_EVERY {
            let _ = self.sign();
        }
    }

    fn finish(&mut self) {
        if !self.stopped {
            let _ = self.write(Vec::new(), true);
            let _ = self.sign();
        }
    }

    fn carry_out(&mut self, batch: Vec<Order>) -> Option<oneshot::Sender<()>> {
        let (mut items, mut entries, mut touches, mut counted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut checkpoints, mut close) = (Vec::new(), None);
        let mut rooms = Vec::with_capacity(batch.len());
        for order in batch {
            match order {
                Order::Append { items: more, done, _room } => {
                    entries.push((more.len() as u64, done));
                    items.extend(more);
                    rooms.push(_room);
                }
                Order::Count { touch, done, _room } => {
                    touches.push(touch);
                    counted.push(done);
                    rooms.push(_room);
                }
                Order::Checkpoint { done } => checkpoints.push(done),
                Order::Close { done } => close = Some(done),
            }
        }
        let newest = touches.iter().map(Stranger::minute).max();
        let over = newest.is_some_and(|newest| newest > self.counts.minute());
        let fold = (over || !checkpoints.is_empty()) && !self.counts.is_empty();
        let written = if items.is_empty() && !fold { Ok(self.tree.size() + 1) } else { self.write(items, fold) };
        let told = match (&written, over && fold) {
            (Err(error), true) => Err(*error),
            _ if touches.is_empty() => Ok(()),
            _ => self.count(&touches),
        };
        let mut next = written;
        for (count, done) in entries {
            let range = next.map(|first| first..first + count);
            next = next.map(|first| first + count);
            let _ = done.send(range);
        }
        for done in counted {
            let _ = done.send(told);
        }
        for done in checkpoints {
            let _ = done.send(match written {
                Ok(_) => self.sign(),
                Err(error) => Err(error),
            });
        }
        close
    }

    /// Writes and syncs the items, the open minute's fold after them if `fold`. Answers the first item's number.
    fn write(&mut self, mut items: Vec<Item>, fold: bool) -> Result<u64, NotDurable> {
        if self.stopped {
            return Err(NotDurable::Stopped);
        }
        let first = self.tree.size() + 1;
        let fold = fold && !self.counts.is_empty();
        if fold {
            let record = self.counts.record();
            let text = Zeroizing::new(serde_json::to_vec(&record).map_err(|_| NotDurable::TooLong)?);
            let (key, data_key) = (KeyRef::House, self.house.clone());
            items.push(Item { key, data_key, at: Timestamp::now(), text, mark: Mark::Folds, more: false });
        }
        if items.is_empty() {
            return Ok(first);
        }
        if self.uncut {
            // Where even shortening needs room, it is tried again with each write.
            self.disk.cut(self.length).map_err(|error| self.fail("cut", &error, disk::is_full(&error)))?;
            self.uncut = false;
        }
        if self.length >= self.full {
            self.next_segment()?;
        }
        let (mut bytes, mut positions) = (Vec::new(), Vec::with_capacity(items.len()));
        let (mut tree, mut previous) = (self.tree.clone(), self.previous);
        for item in items {
            let (seq, nonce) = (tree.size() + 1, rand::random());
            let place = Frame::place(seq, item.at, item.key);
            let body = seal::seal(&item.data_key, &nonce, &place, &item.text);
            let start = bytes.len();
            let (key, mark, more) = (item.key, item.mark, item.more);
            Frame { seq, at: item.at, settled: self.tree.size(), key, mark, more, nonce, previous, body: &body }
                .write(&mut bytes);
            previous = merkle::leaf(&bytes[start..]);
            tree.push(previous);
            positions.push(Position::new(self.segment, self.length + start as u64));
        }
        let written = self.disk.append(&bytes).map_err(|error| ("write", error));
        if let Err((step, error)) = written.and_then(|()| self.disk.sync().map_err(|error| ("sync", error))) {
            self.uncut = self.disk.cut(self.length).is_err();
            return Err(self.fail(step, &error, disk::is_full(&error)));
        }
        self.length += bytes.len() as u64;
        self.tree = tree;
        self.previous = previous;
        self.shared.add(positions);
        if fold {
            self.counts.folded(self.tree.size());
        }
        Ok(first)
    }

    fn count(&mut self, touches: &[Stranger]) -> Result<(), NotDurable> {
        if self.stopped {
            return Err(NotDurable::Stopped);
        }
        self.counts.add(touches).map_err(|error| {
            let full = disk::is_full(&error);
            self.fail("count", &error, full)
        })
    }

    fn next_segment(&mut self) -> Result<(), NotDurable> {
        let first = self.tree.size() + 1;
        let header = segment::Header { first, previous: self.previous }.to_bytes();
        let path = segment::path(&self.shared.data, first);
        let begun = disk::begin(self.disks.as_ref(), &path, 0).and_then(|mut disk| {
            disk.append(&header)?;
            disk.sync()?;
            self.disks.sync_folder(disk::folder_of(&path))?;
            Ok(disk)
        });
        match begun {
            Ok(disk) => {
                self.disk = disk;
                self.length = segment::HEADER as u64;
                self.segment = self.shared.begin(first);
                Ok(())
            }
            // The old segment is still the last one that counts; what was begun is begun anew.
            Err(error) => Err(self.fail("segment", &error, disk::is_full(&error))),
        }
    }

    fn sign(&mut self) -> Result<(Checkpoint, String), NotDurable> {
        let checkpoint = Checkpoint { size: self.tree.size(), root: self.tree.root() };
        let note = self.shared.signer.sign(&checkpoint);
        self.signed_at = Instant::now();
        match disk::replace(self.disks.as_ref(), &self.shared.checkpoint_path(), note.as_bytes()) {
            Ok(()) => {
                self.signed = Some(checkpoint.size);
                Ok((checkpoint, note))
            }
            Err(error) => {
                // Nothing hangs on it: the entries are durable, and the next one is signed in a moment.
                tracing::warn!(%error, "the journal's checkpoint could not be written");
                Err(if disk::is_full(&error) { NotDurable::Full } else { NotDurable::Unsigned })
            }
        }
    }

    fn fail(&mut self, step: &'static str, error: &io::Error, mended: bool) -> NotDurable {
        if mended {
            tracing::error!(%error, step, "the disk is full: nothing more is acknowledged until there is room");
            return NotDurable::Full;
        }
        tracing::error!(%error, step, "the journal could not be made durable: nothing more is acknowledged until telltale is started again");
        self.stopped = true;
        self.shared.stopped.store(true, Ordering::Release);
        NotDurable::Stopped
    }
}

fn gather(first: Order, orders: &mpsc::Receiver<Order>, batch: &mut Vec<Order>) {
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(order) = next {
        bytes += match &order {
            Order::Append { items, .. } => items.iter().map(|item| item.text.len()).sum(),
            Order::Count { touch, .. } => touch.len(),
            Order::Checkpoint { .. } | Order::Close { .. } => 0,
        };
        let last = matches!(order, Order::Close { .. }) || bytes >= BATCH_BYTES;
        batch.push(order);
        next = if last || batch.len() >= BATCH { None } else { orders.try_recv().ok() };
    }
}

/// Minutes since 1970.
pub(crate) fn this_minute() -> i64 {
    Timestamp::now().as_second().div_euclid(60)
}
