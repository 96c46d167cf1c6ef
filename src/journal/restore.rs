//! Restoring a backup on an empty machine: everything is unpacked beside its place and checked, seals, chain and
//! checkpoint too, before anything is moved there. It never writes over what is there, and takes no foreign member.

use crate::{
    domain::reason::reason,
    journal::{
        backup::{FORMAT, MANIFEST, Manifest},
        checkpoint::Signer,
        disk::{self, Disks, Files},
        keyring::{Keyring, KeyringError},
        lock::{FolderLock, LockError},
        master::MasterKey,
        verify,
    },
};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{} is not empty, and restoring would mix two journals: give an empty data folder", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} is no whole backup: {what}: give a file that `telltale backup` made", .path.display())]
    Broken { path: PathBuf, what: String },
    #[error("{} is a backup of format {format}, and this telltale knows formats up to {FORMAT}: use the newer telltale", .path.display())]
    Newer { path: PathBuf, format: u32 },
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot restore to {}: {}", .folder.display(), reason(.error))]
    Io { folder: PathBuf, error: io::Error },
}

/// Restores a backup into a data folder that is not there or empty. A refusal leaves no folder that was not there.
/// Blocks.
pub fn restore(backup: &Path, data: &Path, master: &MasterKey) -> Result<Manifest, RestoreError> {
    let made = !data.exists();
    let restored = restore_into(backup, data, master);
    if made && restored.as_ref().is_err_and(|error| !matches!(error, RestoreError::Lock(_))) {
        // Only the lock is left in it; a folder that holds anything else is not removed.
        let _ = fs::remove_file(data.join("lock"));
        let _ = fs::remove_dir(data);
    }
    restored
}

fn restore_into(backup: &Path, data: &Path, master: &MasterKey) -> Result<Manifest, RestoreError> {
    let io = |error| RestoreError::Io { folder: data.to_owned(), error };
    make_private(data).map_err(io)?;
    if fs::read_dir(data).map_err(io)?.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "lock")) {
        return Err(RestoreError::NotEmpty(data.to_owned()));
    }
    let _lock = FolderLock::take(data)?;
    let stage = data.join(".restore");
    make_private(&stage).map_err(io)?;
    let checked = unpack(backup, &stage).and_then(|manifest| check(backup, &stage, master).map(|()| manifest));
    let moved = checked.and_then(|manifest| {
        // The keyring goes last: without it, nothing takes the folder for a whole one.
        for name in ["evidence", "journal", "keyring"] {
            if name == "keyring" {
                Files.sync_folder(data).map_err(io)?;
            }
            if stage.join(name).exists() {
                fs::rename(stage.join(name), data.join(name)).map_err(io)?;
            }
        }
        Files.sync_folder(data).and_then(|()| disk::sync_name(&Files, data)).map_err(io)?;
        Ok(manifest)
    });
    let cleared = fs::remove_dir_all(&stage).map_err(io);
    let manifest = moved?;
    cleared?;
    Ok(manifest)
}

/// Makes a folder that is its owner's alone, unless it is there.
fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn unpack(backup: &Path, stage: &Path) -> Result<Manifest, RestoreError> {
    let broken = |what: String| RestoreError::Broken { path: backup.to_owned(), what };
    let unread = |error: io::Error| broken(reason(&error));
    let io = |error| RestoreError::Io { folder: stage.to_owned(), error };
    let mut archive = tar::Archive::new(BufReader::new(File::open(backup).map_err(unread)?));
    let mut members = BTreeMap::new();
    let mut manifest: Option<Manifest> = None;
    for entry in archive.entries().map_err(unread)? {
        let mut entry = entry.map_err(unread)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if manifest.is_some() {
            return Err(broken(format!("{name:?} follows its last member")));
        }
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.by_ref().take(256 << 20).read_to_end(&mut text).map_err(unread)?;
            manifest = Some(serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?);
            continue;
        }
        if !entry.header().entry_type().is_file() || !is_ours(&name) {
            return Err(broken(format!("{name:?} is no member of a backup")));
        }
        let path = stage.join(&name);
        make_private(path.parent().unwrap_or(stage)).map_err(io)?;
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&path).map_err(io)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = entry.read(&mut buffer).map_err(unread)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(io)?;
        }
        file.sync_all().map_err(io)?;
        Files.sync_folder(disk::folder_of(&path)).map_err(io)?;
        members.insert(name, HEXLOWER.encode(&digest.finalize()));
    }
    let manifest = manifest.ok_or_else(|| broken("it ends too early".to_owned()))?;
    if manifest.format > FORMAT {
        return Err(RestoreError::Newer { path: backup.to_owned(), format: manifest.format });
    }
    if manifest.members != members {
        return Err(broken("its members are not those that it lists".to_owned()));
    }
    Ok(manifest)
}

/// Opens the keyring and checks the journal against its checkpoint.
fn check(backup: &Path, stage: &Path, master: &MasterKey) -> Result<(), RestoreError> {
    let broken = |what: String| RestoreError::Broken { path: backup.to_owned(), what };
    let keyring = Keyring::open(stage, master)?;
    let note = fs::read_to_string(stage.join("journal/checkpoint")).map_err(|error| broken(error.to_string()))?;
    let origin = note.lines().next().unwrap_or_default();
    let report = verify::verify(stage, Signer::new(origin, &keyring.derive("checkpoint")).vkey());
    match report.faults.first() {
        None if report.checkpoint_ok && report.entries == report.vouched => Ok(()),
        None => Err(broken("its journal is longer than its checkpoint".to_owned())),
        Some(fault) => Err(broken(format!("{} at byte {}: {}", fault.file, fault.offset, fault.what))),
    }
}

fn is_ours(name: &str) -> bool {
    let plain = |name: &str| {
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
    };
    match name.split_once('/') {
        None => name == "keyring",
        Some(("journal", file)) => plain(file) && (file == "checkpoint" || file.ends_with(".segment")),
        Some(("evidence", file)) => plain(file),
        Some(_) => false,
    }
}
