//! What reading a hostile file may cost, and the accounts kept of it.

use crate::dumps::Limits;
use std::{
    cell::Cell,
    io::{self, Read},
    time::{Duration, Instant},
};

/// What was spent so far.
pub(super) struct Account<'a> {
    pub limits: &'a Limits,
    entries: Cell<u64>,
    unpacked: Cell<u64>,
    deadline: Instant,
}

impl<'a> Account<'a> {
    pub fn open(limits: &'a Limits) -> Account<'a> {
        let now = Instant::now();
        let deadline = now.checked_add(limits.time).unwrap_or(now + Duration::from_secs(86_400));
        Account { limits, entries: Cell::new(0), unpacked: Cell::new(0), deadline }
    }

    /// Counts one more member; false if there were too many.
    pub fn enter(&self) -> bool {
        self.entries.set(self.entries.get() + 1);
        self.entries.get() <= self.limits.entries
    }

    pub fn late(&self) -> bool {
        Instant::now() > self.deadline
    }
}

/// An unpacked stream that ends early at a limit, and then says at which.
pub(super) struct Guarded<'a, R> {
    source: R,
    account: &'a Account<'a>,
    /// At most this much, by ratio and by size.
    allowed: u64,
    by_ratio: bool,
    given: u64,
    stopped: &'a Cell<Option<&'static str>>,
}

impl<'a, R: Read> Guarded<'a, R> {
    /// `packed` is the packed length, where it is known.
    pub fn new(
        source: R,
        packed: Option<u64>,
        account: &'a Account<'a>,
        stopped: &'a Cell<Option<&'static str>>,
    ) -> Self {
        let by_size = account.limits.member_bytes;
        let by_ratio = packed.map_or(u64::MAX, |packed| packed.saturating_mul(account.limits.ratio).max(1 << 20));
        Guarded { source, account, allowed: by_size.min(by_ratio), by_ratio: by_ratio < by_size, given: 0, stopped }
    }

    /// Why it may give no more; none while it may.
    fn obstacle(&self) -> Option<&'static str> {
        if self.given >= self.allowed {
            return Some(if self.by_ratio {
                "it unpacks to more than the allowed ratio: read in part"
            } else {
                "a member is larger than allowed: read in part"
            });
        }
        if self.account.unpacked.get() >= self.account.limits.total_bytes {
            return Some("its members together are larger than allowed: read in part");
        }
        self.account.late().then_some("the time allowed for containers is over: read in part")
    }
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopped.get().is_some() {
            return Ok(0);
        }
        if let Some(why) = self.obstacle() {
            // What ends exactly at the limit was read in full.
            if self.source.read(&mut [0])? > 0 {
                self.stopped.set(Some(why));
            }
            return Ok(0);
        }
        let left = (self.allowed - self.given).min(self.account.limits.total_bytes - self.account.unpacked.get());
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.source.read(&mut buffer[..room])?;
        self.given += read as u64;
        self.account.unpacked.set(self.account.unpacked.get() + read as u64);
        Ok(read)
    }
}
