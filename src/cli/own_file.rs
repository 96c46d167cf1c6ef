//! Files that a command makes: their owner's alone, written beside their name first, and put in place once they are whole.

use anyhow::Context;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Where a file is written before it is put in place.
pub fn beside(file: &Path) -> PathBuf {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

/// A new file that is its owner's alone.
pub fn private(path: &Path) -> anyhow::Result<fs::File> {
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    options.create_new(true).write(true).mode(0o600);
    options.open(path).with_context(|| format!("cannot write {}", path.display()))
}
