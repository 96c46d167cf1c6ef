//! The data folder's lock: one process at a time owns journal, keyring and ledger. The kernel lets go of it when the
//! process ends, however it ends.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Held as long as the folder is ours.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// The folder could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another telltale uses the data folder {}: stop it, or speak to it through its socket", .0.display())]
    Held(PathBuf),
    /// The lock file could not be made.
    #[error("cannot lock the data folder {}: {error}; the user that runs telltale must own it", .folder.display())]
    Io { folder: PathBuf, error: io::Error },
}

impl FolderLock {
    /// Takes the lock of a data folder, which is made if it is not there, at once or not at all.
    pub fn take(folder: &Path) -> Result<FolderLock, LockError> {
        let io = |error| LockError::Io { folder: folder.to_owned(), error };
        fs::create_dir_all(folder).map_err(io)?;
        let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(FolderLock::take(folder.path()), Err(LockError::Held(_))));
        drop(held);
        FolderLock::take(folder.path()).unwrap();
    }
}
