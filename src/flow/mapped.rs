//! A file as memory: the index, which processes share. It is read only.
#![allow(unsafe_code, reason = "the one file of the service that maps memory")]

use memmap2::Mmap;
use std::{fs::File, io, path::Path};

/// A file that is mapped into memory.
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps this file. Whoever shortens it meanwhile ends this process: an index is replaced, not written over.
    ///
    /// # Errors
    /// Where it cannot be opened, or is no file.
    pub fn open(path: &Path) -> io::Result<Mapped> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        // SAFETY: nothing here writes to it. What another process changes in it is seen as bytes, which the index checks
        // by their MAC before it believes them.
        unsafe { Mmap::map(&file) }.map(Mapped)
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
