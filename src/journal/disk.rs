//! The few things that the journal asks of a disk, so that tests can put a failing one in its place, and the one way
//! in which a small file is replaced as a whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// A file that grows at its end.
pub trait Disk: Send {
    /// Writes at the end. After an error the end is unknown until `cut`.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything written is on stable storage.
    fn sync(&mut self) -> io::Result<()>;

    /// Shortens the file to `length` bytes; what is written next follows there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// Where such files come from.
pub trait Disks: Send + Sync {
    /// Opens the file, made if it is not there, cut to `length`; a new name is durable when this returns.
    fn open(&self, path: &Path, length: u64) -> io::Result<Box<dyn Disk>>;
}

/// The real disk.
#[derive(Clone, Copy, Debug)]
pub struct Files;

struct OnDisk {
    file: File,
    end: u64,
}

impl Disks for Files {
    fn open(&self, path: &Path, length: u64) -> io::Result<Box<dyn Disk>> {
        let new = !path.exists();
        let file = File::options().create(true).truncate(false).write(true).read(true).mode(0o600).open(path)?;
        file.set_len(length)?;
        file.sync_all()?;
        if new {
            sync_folder_of(path)?;
        }
        Ok(Box::new(OnDisk { file, end: length }))
    }
}

impl Disk for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.end = length;
        Ok(())
    }
}

/// Replaces a file as a whole: after a crash it holds the old bytes or the new ones. Mode 0600.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder_of(path)
}

/// Makes the names in the folder of `path` durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Whether the disk is only full, so that the same write may succeed later.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
