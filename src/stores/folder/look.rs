//! Which files a folder holds. Links are not followed, and what cannot be read is counted, not named.

use crate::stores::folder::{LARGEST, stage};
use std::{fs, io, path::Path};

/// The files of a folder and its sub-folders.
#[derive(Default)]
pub struct Files {
    /// Their names from the folder, sorted.
    pub names: Vec<String>,
    /// Too large to be read.
    pub too_large: u64,
    /// Links, devices, names that are no UTF-8.
    pub others: u64,
}

impl Files {
    /// Counts in the log what is not looked at.
    pub fn tell_of_skipped(&self, root: &Path) {
        if self.too_large + self.others > 0 {
            tracing::warn!(
                folder = %root.display(),
                too_large = self.too_large,
                others = self.others,
                "files are not read: larger than {} MiB, or links and names that are no UTF-8",
                LARGEST >> 20
            );
        }
    }
}

/// Looks for every file below `root`.
pub fn files(root: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            // A sub-folder that went away just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_empty() => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                files.others += 1;
                continue;
            };
            if folder.is_empty() && name == stage::NAME {
                continue;
            }
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(name);
            } else if !kind.is_file() {
                files.others += 1;
            } else if entry.metadata().is_ok_and(|found| found.len() > LARGEST) {
                files.too_large += 1;
            } else {
                files.names.push(name);
            }
        }
    }
    files.names.sort_unstable();
    Ok(files)
}
