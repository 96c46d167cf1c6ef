//! The few things that journal, keyring and evidence ask of a disk, so that tests can put one in its place that fails, or
//! loses what was not synced; and the one way in which a small file is replaced as a whole.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A file that grows at its end.
pub trait Disk: Send {
    /// Writes at the end. After an error the end is unknown until `cut`.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes once more what stands at `offset` already.
    fn again(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything written, and the length, is on stable storage.
    fn sync(&mut self) -> io::Result<()>;

    /// Shortens the file to `length` bytes; what is written next follows there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// Where such files come from, and their names. A name is durable once its folder was synced.
pub trait Disks: Send + Sync {
    /// Opens a file of mode 0600, made if it is not there. It must be cut before anything is appended.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Disk>>;

    /// Gives a file another name, in place of whatever has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder; one that is there is no error.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Returns once the names in a folder are on stable storage.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The real disk.
#[derive(Clone, Copy, Debug)]
pub struct Files;

struct OnDisk {
    file: File,
    end: u64,
    /// The length changed otherwise than by growing, which a sync of the data alone may leave aside.
    was_cut: bool,
}

impl Disks for Files {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        Ok(Box::new(OnDisk { file, end: 0, was_cut: true }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            made => made,
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl Disk for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn again(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.was_cut { self.file.sync_all() } else { self.file.sync_data() }?;
        self.was_cut = false;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.was_cut = true;
        self.file.set_len(length)?;
        self.end = length;
        Ok(())
    }
}

/// Opens a file whose first `length` bytes count. Its name is not durable yet.
pub fn begin(disks: &dyn Disks, path: &Path, length: u64) -> io::Result<Box<dyn Disk>> {
    let mut disk = disks.open(path)?;
    disk.cut(length)?;
    disk.sync()?;
    Ok(disk)
}

/// Replaces a file as a whole: after a crash it holds the old bytes or the new ones. Mode 0600.
pub fn replace(disks: &dyn Disks, path: &Path, bytes: &[u8]) -> io::Result<()> {
    prepare(disks, path, bytes)?;
    put(disks, path)
}

/// The first half of `replace`: the new bytes are durable beside the file. After an error the old ones are in force.
pub fn prepare(disks: &dyn Disks, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut disk = disks.open(&beside(path))?;
    disk.cut(0)?;
    disk.append(bytes)?;
    disk.sync()
}

/// The second half: what was prepared takes the file's place. After an error either may be in force after a crash.
pub fn put(disks: &dyn Disks, path: &Path) -> io::Result<()> {
    disks.rename(&beside(path), path)?;
    disks.sync_folder(folder_of(path))
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Makes a folder, and those above it that are missing. All their names are durable when this returns.
pub fn make_folder(disks: &dyn Disks, folder: &Path) -> io::Result<()> {
    let above = folder_of(folder);
    if !above.exists() {
        make_folder(disks, above)?;
    }
    disks.make_folder(folder)?;
    sync_name(disks, folder)
}

/// Makes the name of a folder durable.
pub fn sync_name(disks: &dyn Disks, folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match disks.sync_folder(folder_of(folder)) {
        // A folder that we may not read is none of ours, nor is a name in it; and some file systems sync no folder.
        Err(error) if matches!(error.kind(), PermissionDenied | InvalidInput | Unsupported) => Ok(()),
        synced => synced,
    }
}

/// The folder that a name stands in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether the disk is only full, so that the same write may succeed later.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
