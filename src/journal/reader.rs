//! Reading entries back, one after the other, from the files beneath an open journal. It reads ahead, writes nothing,
//! and sees only what is durable.

use crate::journal::{
    entry::{self, Entry},
    frame::{self, Frame},
    log::{JournalError, Shared},
    merkle::{self, Hash},
};
use std::{os::unix::fs::FileExt, sync::Arc};

/// Bytes read at once when entries are read in a row.
const AHEAD: usize = 256 << 10;

/// An iterator over entries.
pub struct Entries {
    shared: Arc<Shared>,
    next: u64,
    last: u64,
    /// Part of a segment: its index, where the part starts, its bytes.
    segment: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl Entries {
    pub(crate) fn new(shared: Arc<Shared>, next: u64, last: u64) -> Entries {
        Entries { shared, next, last, segment: 0, start: 0, bytes: Vec::new() }
    }

    /// The leaf of the next entry, without opening it.
    pub(crate) fn leaf(mut self) -> Option<Result<Hash, JournalError>> {
        (self.next <= self.last).then(|| self.frame().map(merkle::leaf))
    }

    /// Where the next entry ends within its segment.
    pub(crate) fn end(mut self) -> Result<u64, JournalError> {
        let length = self.frame()?.len() as u64;
        Ok(self.shared.position(self.next).map_or(0, |position| position.offset()) + length)
    }

    /// The next entry as it lies in the segment: what its leaf hashes.
    pub(crate) fn sealed(&mut self) -> Option<Result<Vec<u8>, JournalError>> {
        if self.next > self.last {
            return None;
        }
        let bytes = self.frame().map(<[u8]>::to_vec);
        self.next = if bytes.is_ok() { self.next + 1 } else { self.last + 1 };
        Some(bytes)
    }

    /// The bytes of the next entry.
    fn frame(&mut self) -> Result<&[u8], JournalError> {
        let seq = self.next;
        let position = self.shared.position(seq).ok_or(JournalError::Unreadable { seq, what: "there is none" })?;
        let mut want = if self.next == self.last { frame::HEADER + 1024 } else { AHEAD };
        loop {
            let within = (position.segment() == self.segment)
                .then(|| position.offset().checked_sub(self.start))
                .flatten()
                .and_then(|from| usize::try_from(from).ok())
                .filter(|from| *from < self.bytes.len());
            let have = within.map_or(&[][..], |from| &self.bytes[from..]);
            match Frame::length(have) {
                Ok(length) if length <= have.len() => {
                    let from = within.unwrap_or(0);
                    return Ok(&self.bytes[from..from + length]);
                }
                Ok(length) => want = want.max(length),
                Err(_) if have.len() >= 16 => {
                    return Err(JournalError::Unreadable { seq, what: "its bytes have changed on the disk" });
                }
                Err(_) => {}
            }
            if have.len() >= want {
                return Err(JournalError::Unreadable { seq, what: "the segment ends within it" });
            }
            self.fill(position.segment(), position.offset(), want, seq)?;
        }
    }

    fn fill(&mut self, segment: usize, start: u64, want: usize, seq: u64) -> Result<(), JournalError> {
        let file = self.shared.file(segment)?;
        self.bytes.resize(want, 0);
        let mut got = 0;
        while got < want {
            match file.read_at(&mut self.bytes[got..], start + got as u64) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(JournalError::Unreadable { seq, what: "the disk does not give it back" }),
            }
        }
        let short = match Frame::length(&self.bytes[..got]) {
            Ok(length) => got < want && got < length,
            Err(_) => got < 16,
        };
        self.bytes.truncate(got);
        self.segment = segment;
        self.start = start;
        if short {
            return Err(JournalError::Unreadable { seq, what: "the segment ends within it" });
        }
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.last {
            return None;
        }
        let seq = self.next;
        let keyring = self.shared.keyring.clone();
        let entry = self.frame().and_then(|bytes| {
            let changed = JournalError::Unreadable { seq, what: "its bytes have changed on the disk" };
            let Ok((frame, _)) = Frame::read(bytes) else { return Err(changed) };
            if frame.seq != seq {
                return Err(changed);
            }
            entry::open(&frame, merkle::leaf(bytes), &keyring).map_err(|_| JournalError::Unreadable {
                seq,
                what: "its seal does not open under this keyring, or a newer telltale wrote it",
            })
        });
        self.next = if entry.is_ok() { seq + 1 } else { self.last + 1 };
        Some(entry)
    }
}
