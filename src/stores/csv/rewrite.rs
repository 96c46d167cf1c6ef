//! Replaces a CSV file by a changed copy in one step: a reader sees the old or the new, a crash leaves one of them.
//! Lines that somebody appends while the copy is made, or just after, are carried over.

use crate::stores::{
    csv::{
        format::{Format, next, unreadable},
        records::Raw,
    },
    store::StoreError,
};
use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, Metadata, OpenOptions, TryLockError},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// For how long after the change the old file is watched for lines of a writer who had it open.
const WATCH: Duration = Duration::from_millis(100);

/// What is to change, by the number of the record in the file, from 0, the header and empty lines counted.
#[derive(Default)]
pub struct Edits {
    /// Whole lines to put in front of a record.
    pub before: BTreeMap<u64, Vec<Vec<u8>>>,
    /// What to put behind the last record.
    pub behind: Vec<u8>,
    /// Records to leave out.
    pub without: HashSet<u64>,
    /// The record that loses its line end.
    pub bare: Option<u64>,
}

/// A CSV file, locked against others who lock it too.
pub struct Held {
    pub file: File,
    /// Where it really is, links followed.
    pub path: PathBuf,
    /// How long it was when it was opened.
    pub length: u64,
    metadata: Metadata,
}

impl Held {
    /// Opens and locks the file, and clears away what a crash left.
    pub fn open(path: &Path) -> Result<Held, StoreError> {
        let path = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        let waiting_since = Instant::now();
        loop {
            let (file, metadata) = open_writable(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if waiting_since.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Retry(format!("{}: another program holds a lock on it", path.display())));
                }
                // A file system without locks: the comparisons below still hold.
                Err(TryLockError::Error(_)) => {}
            }
            // Whoever held the lock before may have replaced the file.
            let now = path.metadata().map_err(|error| unreadable(&path, &error))?;
            if (now.dev(), now.ino()) == (metadata.dev(), metadata.ino()) {
                let _ = std::fs::remove_file(beside(&path));
                return Ok(Held { length: now.len(), file, path, metadata });
            }
        }
    }

    /// Writes the changed copy in its place. `digest` is that of the bytes on which the edits were decided.
    pub fn replace(mut self, format: &Format, edits: &Edits, digest: blake3::Hash) -> Result<(), StoreError> {
        let temporary = beside(&self.path);
        let outcome = self.write_and_rename(&temporary, format, edits, digest);
        if outcome.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        outcome
    }

    fn write_and_rename(
        &mut self,
        temporary: &Path,
        format: &Format,
        edits: &Edits,
        digest: blake3::Hash,
    ) -> Result<(), StoreError> {
        let path = self.path.clone();
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let unwritable = |error: io::Error| {
            let name = temporary.display();
            match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::Refused(format!(
                    "{name}: {error}: the service must be able to write in this folder, and to keep the file's owner"
                )),
                _ => StoreError::Retry(format!("{name}: {error}")),
            }
        };
        let mut new =
            OpenOptions::new().append(true).create_new(true).mode(0o600).open(temporary).map_err(unwritable)?;
        self.copy(&new, format, edits, digest)?;
        self.dress(&new).map_err(unwritable)?;
        new.sync_all().map_err(unwritable)?;
        let mut copied = self.length;
        // What was appended while the copy was made; until nothing more comes.
        while self.carry_over(&mut copied, &mut new).map_err(unwritable)? {
            new.sync_all().map_err(unwritable)?;
        }
        let now = path.metadata().map_err(|error| unreadable(&path, &error))?;
        if (now.dev(), now.ino()) != (self.metadata.dev(), self.metadata.ino()) || now.len() < copied {
            return Err(changed(&path));
        }
        std::fs::rename(temporary, &path).map_err(unwritable)?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
        // Writers who waited for the lock write now, to the file that they had opened.
        let _ = self.file.unlock();
        let renamed = Instant::now();
        let mut seen = copied;
        loop {
            let length = self.file.metadata().map_err(unwritable)?.len();
            // Only once a writer has paused, so that a half-written line is carried over in one piece.
            if length == seen && length > copied && self.carry_over(&mut copied, &mut new).map_err(unwritable)? {
                new.sync_all().map_err(unwritable)?;
            }
            if renamed.elapsed() > WATCH && length == seen {
                return Ok(());
            }
            seen = length;
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn copy(&mut self, new: &File, format: &Format, edits: &Edits, digest: blake3::Hash) -> Result<(), StoreError> {
        let (path, encoding) = (self.path.clone(), format.encoding);
        let failed = |error: io::Error| StoreError::Retry(format!("{}: {error}", path.display()));
        let mut out = BufWriter::with_capacity(256 << 10, new);
        let mut mark = vec![0; format.mark as usize];
        self.file.rewind().and_then(|()| self.file.read_exact(&mut mark)).map_err(failed)?;
        out.write_all(&mark).map_err(failed)?;
        let mut records = format.records(&mut self.file, &path, self.length)?;
        let (mut raw, mut number, mut hasher) = (Raw::default(), 0u64, blake3::Hasher::new());
        while next(&mut records, &path, &mut raw)? {
            hasher.update(&raw.bytes);
            for line in edits.before.get(&number).into_iter().flatten() {
                encoding.write(line, &mut out).map_err(failed)?;
            }
            if !edits.without.contains(&number) {
                let bytes = if edits.bare == Some(number) { raw.body() } else { &raw.bytes };
                encoding.write(bytes, &mut out).map_err(failed)?;
            }
            number += 1;
        }
        encoding.write(&edits.behind, &mut out).map_err(failed)?;
        out.flush().map_err(failed)?;
        if hasher.finalize() != digest {
            return Err(changed(&path));
        }
        Ok(())
    }

    /// Gives the new file the owner, the mode and the attributes of the old one.
    fn dress(&self, new: &File) -> io::Result<()> {
        let mine = new.metadata()?;
        if (mine.uid(), mine.gid()) != (self.metadata.uid(), self.metadata.gid()) {
            std::os::unix::fs::fchown(new, Some(self.metadata.uid()), Some(self.metadata.gid()))?;
        }
        new.set_permissions(self.metadata.permissions())?;
        keep_attributes(&self.file, new)
    }

    /// Copies what stands in the old file beyond `copied`; whether there was any.
    fn carry_over(&mut self, copied: &mut u64, new: &mut File) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(*copied))?;
        let added = io::copy(&mut self.file, new)?;
        *copied += added;
        Ok(added > 0)
    }
}

fn open_writable(path: &Path) -> Result<(File, Metadata), StoreError> {
    let refuse = |why: &str| StoreError::Refused(format!("{}: {why}", path.display()));
    let found = path.metadata().map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(refuse("this is no file: `path` must name the CSV file itself"));
    }
    if found.permissions().readonly() {
        return Err(refuse(&format!(
            "the file is read-only (mode {:o}): give its owner the right to write",
            found.mode() & 0o7777
        )));
    }
    if found.nlink() > 1 {
        return Err(refuse("the file has further names (hard links), which would keep the old rows: remove those"));
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    Ok((file, metadata))
}

/// The temporary copy: in the same folder, so that the rename is one step.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp~");
    path.with_file_name(name)
}

/// The file is no longer what was looked at.
pub fn changed(path: &Path) -> StoreError {
    StoreError::Retry(format!("{}: somebody else changed the file meanwhile: try again", path.display()))
}

/// Access lists and labels are extended attributes.
fn keep_attributes(old: &File, new: &File) -> io::Result<()> {
    let mut names = vec![0u8; 64 << 10];
    let length = match rustix::fs::flistxattr(old, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::NOSYS) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0u8; 64 << 10];
        let size = rustix::fs::fgetxattr(old, name, &mut value[..])?;
        let kept = rustix::fs::fsetxattr(new, name, &value[..size], rustix::fs::XattrFlags::empty());
        // Labels are the system's own to give; an access list that cannot be kept is an error.
        if !name.starts_with(b"security.") && !name.starts_with(b"trusted.") {
            kept?;
        }
    }
    Ok(())
}

/// Whether the folder that the file stands in can be written to, without writing.
pub fn probe(path: &Path) -> Result<(), StoreError> {
    let path = path.canonicalize().map_err(|error| unreadable(path, &error))?;
    open_writable(&path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let readonly = folder.metadata().is_ok_and(|found| found.permissions().mode() & 0o222 == 0);
    if readonly || rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() {
        return Err(StoreError::Refused(format!(
            "{}: no right to write in this folder, which planting needs: the file is replaced in one step",
            folder.display()
        )));
    }
    Ok(())
}
