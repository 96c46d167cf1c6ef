//! Backups: journal, checkpoint, keyring and evidence of one moment, as one tar file, made beside a journal that goes on.
//! The master key is never in it, nor the ledger, which is rebuilt.
//!
//! The head is taken first, everything else after it: keys and evidence of its entries are there by then. The last
//! member lists the SHA-256 of all the others, so that a cut backup is found.

use crate::journal::{
    log::{Journal, JournalError, NotDurable},
    segment,
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The version that this binary writes, and the newest that it restores.
pub const FORMAT: u32 = 1;
pub(crate) const MANIFEST: &str = "manifest.json";

/// The last member of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Entries of the journal in it.
    pub head: u64,
    /// SHA-256 of each member, by name.
    pub members: BTreeMap<String, String>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    #[error("cannot write the backup {}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// Writes a backup to a new file; an existing one is replaced only once the new one is whole.
pub async fn back_up(journal: &Journal, path: &Path) -> Result<Manifest, BackupError> {
    let (checkpoint, note) = journal.checkpoint().await?;
    let segments = journal.segments_up_to(checkpoint.size)?;
    let (data, target) = (journal.data().to_owned(), path.to_owned());
    let written = tokio::task::spawn_blocking(move || write(&data, checkpoint.size, &note, &segments, &target)).await;
    written
        .unwrap_or_else(|_| Err(io::Error::other("the backup was interrupted")))
        .map_err(|error| BackupError::Io { path: path.to_owned(), error })
}

fn write(data: &Path, head: u64, note: &str, segments: &[(u64, u64)], path: &Path) -> io::Result<Manifest> {
    let part = path.with_extension("part");
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
    let mut archive = Archive { tar: tar::Builder::new(BufWriter::new(file)), members: BTreeMap::new() };
    for (first, length) in segments {
        let path = segment::path(data, *first);
        let name = format!("journal/{}", path.file_name().unwrap_or_default().to_string_lossy());
        archive.add(&name, *length, File::open(&path)?)?;
    }
    archive.add("journal/checkpoint", note.len() as u64, note.as_bytes())?;
    let keyring = fs::read(data.join("keyring"))?;
    archive.add("keyring", keyring.len() as u64, keyring.as_slice())?;
    for (name, path) in evidence(data)? {
        let file = File::open(&path)?;
        archive.add(&format!("evidence/{name}"), file.metadata()?.len(), file)?;
    }
    let manifest = Manifest { format: FORMAT, head, members: std::mem::take(&mut archive.members) };
    let text = serde_json::to_vec_pretty(&manifest)?;
    archive.add(MANIFEST, text.len() as u64, text.as_slice())?;
    let mut out = archive.tar.into_inner()?;
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(&part, path)?;
    Ok(manifest)
}

fn evidence(data: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    match fs::read_dir(data.join("evidence")) {
        Ok(entries) => {
            for entry in entries {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if path.is_file() && !name.ends_with(".part") {
                    found.push((name, path));
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    found.sort();
    Ok(found)
}

struct Archive {
    tar: tar::Builder<BufWriter<File>>,
    members: BTreeMap<String, String>,
}

impl Archive {
    /// Adds exactly `length` bytes of `source`.
    fn add(&mut self, name: &str, length: u64, source: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        let mut hashed = Hashed { source: source.take(length), digest: Sha256::new(), read: 0 };
        self.tar.append_data(&mut header, name, &mut hashed)?;
        if hashed.read != length {
            return Err(io::Error::other(format!("{name} became shorter while it was read")));
        }
        self.members.insert(name.to_owned(), HEXLOWER.encode(&hashed.digest.finalize()));
        Ok(())
    }
}

struct Hashed<R> {
    source: io::Take<R>,
    digest: Sha256,
    read: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.read += read as u64;
        Ok(read)
    }
}
