//! What reading a hostile file may cost, and the accounts kept of it.

use crate::dumps::Limits;
use rustix::time::{ClockId, clock_gettime};
use std::{
    cell::Cell,
    io::{self, Read},
    time::Duration,
};

/// Unpacked bytes that even the smallest file may have.
const FLOOR: u64 = 16 << 20;

/// What was spent so far.
pub(super) struct Account<'a> {
    pub limits: &'a Limits,
    entries: Cell<u64>,
    /// Bytes of the file itself: its length, or what was read of it.
    packed: Cell<u64>,
    unpacked: Cell<u64>,
    begun: Duration,
    /// How long other processes took that read what is coded in a text.
    apart: Cell<Duration>,
}

impl<'a> Account<'a> {
    pub fn open(limits: &'a Limits) -> Account<'a> {
        Account {
            limits,
            entries: Cell::new(0),
            packed: Cell::new(0),
            unpacked: Cell::new(0),
            begun: spent(),
            apart: Cell::new(Duration::ZERO),
        }
    }

    /// Counts one more member; false if there were too many.
    pub fn enter(&self) -> bool {
        self.entries.set(self.entries.get() + 1);
        self.entries.get() <= self.limits.entries
    }

    /// Bytes of the file itself are known of, or were read.
    pub fn add_packed(&self, bytes: u64) {
        self.packed.set(self.packed.get() + bytes);
    }

    /// Whether the time is over that a file of this length may take. It is time of computing, not of waiting.
    pub fn late(&self) -> bool {
        spent().saturating_sub(self.begun) > self.limits.time_for(self.packed.get())
    }

    /// What another process may still take that reads so many bytes which are coded in a text.
    pub fn limits_for(&self, bytes: u64) -> Limits {
        let allowed = self.limits.time_for(self.packed.get().max(bytes)).saturating_sub(self.apart.get());
        Limits { time: allowed, time_per_mib: Duration::ZERO, ..self.limits.clone() }
    }

    /// Another process took so long.
    pub fn add_apart(&self, took: Duration) {
        self.apart.set(self.apart.get() + took);
    }

    /// Unpacked bytes that all members together may still have.
    fn left(&self) -> u64 {
        let by_ratio = self.packed.get().saturating_mul(self.limits.ratio).max(FLOOR);
        self.limits.total_bytes.min(by_ratio).saturating_sub(self.unpacked.get())
    }
}

/// What this thread has computed so far.
fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// An unpacked stream that ends early at a limit, and then says at which.
pub(super) struct Guarded<'a, R> {
    source: R,
    account: &'a Account<'a>,
    /// The packed length: known before, or counted while it is read.
    packed: Packed<'a>,
    given: u64,
    stopped: &'a Cell<Option<&'static str>>,
}

/// How long the packed form of a stream is.
#[derive(Clone, Copy)]
pub(super) enum Packed<'a> {
    Known(u64),
    Counted(&'a Cell<u64>),
    /// It was not packed by itself.
    Unknown,
}

impl<'a, R: Read> Guarded<'a, R> {
    pub fn new(
        source: R,
        packed: Packed<'a>,
        account: &'a Account<'a>,
        stopped: &'a Cell<Option<&'static str>>,
    ) -> Self {
        Guarded { source, account, packed, given: 0, stopped }
    }

    /// What it may still give, and why no more.
    fn room(&self) -> (u64, &'static str) {
        let by_ratio = match self.packed {
            Packed::Known(packed) => packed.saturating_mul(self.account.limits.ratio).max(1 << 20),
            Packed::Counted(packed) => packed.get().saturating_mul(self.account.limits.ratio).max(1 << 20),
            Packed::Unknown => u64::MAX,
        };
        let rooms = [
            (by_ratio.saturating_sub(self.given), "it unpacks to more than the allowed ratio: read in part"),
            (
                self.account.limits.member_bytes.saturating_sub(self.given),
                "a member is larger than allowed: read in part",
            ),
            (self.account.left(), "its members together are larger than allowed: read in part"),
        ];
        if self.account.late() {
            return (0, "it takes more time than a container of this size may: read in part");
        }
        rooms.into_iter().min_by_key(|(room, _)| *room).unwrap_or((0, ""))
    }
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopped.get().is_some() || buffer.is_empty() {
            return Ok(0);
        }
        let (room, why) = self.room();
        if room == 0 {
            // What ends exactly at the limit was read in full.
            if self.source.read(&mut [0])? > 0 {
                self.stopped.set(Some(why));
            }
            return Ok(0);
        }
        let room = buffer.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let read = self.source.read(&mut buffer[..room])?;
        self.given += read as u64;
        self.account.unpacked.set(self.account.unpacked.get() + read as u64);
        Ok(read)
    }
}
