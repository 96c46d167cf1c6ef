//! The part of one mail that is kept in memory to be read, out of a store of memory that all connections share.

use crate::sensors::{mail::READ as LIMIT, smtp::CHUNK};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The first bytes of a mail; its memory is given back when it is dropped.
pub struct Kept {
    bytes: Vec<u8>,
    memory: Arc<Semaphore>,
    chunks: Vec<OwnedSemaphorePermit>,
    short: bool,
}

impl Kept {
    /// Nothing yet. Each permit of `memory` stands for one chunk.
    pub fn new(memory: Arc<Semaphore>) -> Self {
        Kept { bytes: Vec::new(), memory, chunks: Vec::new(), short: false }
    }

    /// Keeps a byte, if there is room for it.
    pub fn keep(&mut self, byte: u8) {
        if self.short || self.bytes.len() >= LIMIT {
            return;
        }
        if self.bytes.len() == self.chunks.len() * CHUNK {
            let Ok(chunk) = self.memory.clone().try_acquire_owned() else {
                self.short = true;
                return;
            };
            self.chunks.push(chunk);
            self.bytes.reserve_exact(CHUNK);
        }
        self.bytes.push(byte);
    }

    /// Whether memory ran out.
    pub fn is_short(&self) -> bool {
        self.short
    }

    /// The first bytes, at most so many.
    pub fn first(&self, most: usize) -> Vec<u8> {
        self.bytes[..self.bytes.len().min(most)].to_vec()
    }

    /// All that was kept. The memory stays taken until this is dropped, for the bytes are still somewhere.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_bounded_and_given_back() {
        let memory = Arc::new(Semaphore::new(3));
        let mut first = Kept::new(memory.clone());
        (0..CHUNK * 2).for_each(|_| first.keep(b'a'));
        let mut second = Kept::new(memory.clone());
        (0..CHUNK * 2).for_each(|_| second.keep(b'b'));
        assert!(!first.is_short() && second.is_short());
        assert_eq!((first.take().len(), second.first(10).len(), second.take().len()), (CHUNK * 2, 10, CHUNK));
        drop((first, second));
        assert_eq!(memory.available_permits(), 3);
        let plenty = Arc::new(Semaphore::new(1000));
        let mut large = Kept::new(plenty);
        (0..LIMIT + 10).for_each(|_| large.keep(b'c'));
        assert_eq!((large.take().len(), large.is_short()), (LIMIT, false));
    }
}
