//! The data folder's lock: one process at a time owns journal, keyring and ledger. The kernel lets go of it when the
//! process ends, however it ends. Whoever has it writes its process id into the file, for whom it keeps waiting.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
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
    #[error("{holder} uses the data folder {}: stop it, or speak to it through its socket", .folder.display())]
    Held { folder: PathBuf, holder: String },
    /// The lock file could not be made.
    #[error("cannot lock the data folder {}: {error}; the user that runs telltale must own it", .folder.display())]
    Io { folder: PathBuf, error: io::Error },
}

impl FolderLock {
    /// Takes the lock of a data folder, which is made if it is not there, at once or not at all.
    pub fn take(folder: &Path) -> Result<FolderLock, LockError> {
        let io = |error| LockError::Io { folder: folder.to_owned(), error };
        fs::create_dir_all(folder).map_err(io)?;
        let path = folder.join("lock");
        let mut file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                // The lock is the kernel's. On a full disk the name is missing, and nothing else.
                let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
                Ok(FolderLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(LockError::Held { folder: folder.to_owned(), holder: holder(&path) }),
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

fn holder(path: &Path) -> String {
    match fs::read_to_string(path).ok().and_then(|text| text.parse::<u32>().ok()) {
        Some(process) => format!("another telltale (process {process})"),
        None => "another telltale".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let refused = FolderLock::take(folder.path()).unwrap_err();
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        drop(held);
        FolderLock::take(folder.path()).unwrap();
    }
}
