//! Reads a log file on from where it was left: over rotation by renaming, over truncation, over a restart. It knows a file
//! by its inode and its beginning, and reads the one that was rotated away to its end before it goes on to the next.

use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Bytes that are read at once; a line that is longer is passed over, and counted.
const AT_ONCE: usize = 1 << 20;
const LONGEST_LINE: usize = 64 * 1024;
/// A file is known again by so many bytes of its beginning.
const BEGINNING: u64 = 256;
/// So much is passed over where reading begins within a file.
const TORN: usize = 8 * 1024;
const PACKED: [&str; 5] = ["gz", "xz", "zst", "bz2", "lz4"];

/// How far a log was read: which file, and where the next line begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    inode: u64,
    offset: u64,
    /// So many bytes of its beginning were there, and their checksum.
    known: u64,
    beginning: u32,
}

/// What one look at the log gave.
#[derive(Debug)]
pub struct Lines {
    pub lines: Vec<String>,
    /// Where to go on.
    pub position: Position,
    /// Whether there is more to read at once.
    pub more: bool,
    /// Whether there is nothing at the log's path, and what was there is read to its end.
    pub gone: bool,
    /// What could not be read, under fixed reasons.
    pub refused: Vec<&'static str>,
}

/// A log that is followed.
pub struct Tail {
    path: PathBuf,
    /// Held open: what is still written to it after it was renamed, or deleted, is read all the same.
    open: Option<File>,
}

impl Tail {
    /// The last lines before this position, as far back as is read at once, over the last rotation; none of a file that is gone.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn before(&self, position: &Position) -> io::Result<Vec<String>> {
        let (file, offset, _) = self.find(position)?;
        let (this, missing) = (file.metadata()?, (AT_ONCE as u64).saturating_sub(offset));
        let earlier =
            self.rotated()?.into_iter().filter(|(_, other)| !same(other, &this) && changed(other) <= changed(&this));
        let mut lines = match earlier.max_by_key(|(_, other)| changed(other)) {
            Some((path, other)) if missing > 0 => lines_until(&File::open(path)?, other.len(), missing)?,
            _ => Vec::new(),
        };
        lines.extend(lines_until(&file, offset, AT_ONCE as u64)?);
        Ok(lines)
    }

    /// Follows the file at this path.
    pub fn new(path: PathBuf) -> Tail {
        Tail { path, open: None }
    }

    /// What was written since this position; since the file's beginning where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read, or is not there.
    pub fn read(&mut self, since: Option<&Position>) -> io::Result<Lines> {
        let (file, mut offset, lost) = match since {
            None => (File::open(&self.path)?, 0, None),
            Some(position) => self.find(position)?,
        };
        let mut refused: Vec<&'static str> = lost.into_iter().collect();
        // Asked before the last bytes are read: what is written afterwards is written to the next file.
        let next = self.next(&file.metadata()?)?;
        let mut bytes = vec![0; AT_ONCE];
        let read = read_at(&file, &mut bytes, offset)?;
        bytes.truncate(read);
        let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            // The last line of a file to which nothing is written any more, or one that never ends.
            None if read == AT_ONCE || (next.is_some() && read > 0) => read,
            None => 0,
        };
        let mut lines = Vec::new();
        for line in bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if line.len() > LONGEST_LINE {
                refused.push("line_too_long");
            } else {
                lines.push(String::from_utf8_lossy(line).into_owned());
            }
        }
        offset += end as u64;
        let whole = read < AT_ONCE && end == read;
        let mut more = read == AT_ONCE;
        let gone = next.is_none() && !more && !self.path.try_exists()?;
        let (file, offset) = match next {
            Some(next) if whole => {
                more = true;
                (next, 0)
            }
            _ => (file, offset),
        };
        let position = position(&file, offset)?;
        self.open = Some(file);
        Ok(Lines { lines, position, more, gone, refused })
    }

    /// The file that a position speaks of, and where to go on in it; and the reason, where it is gone.
    fn find(&self, position: &Position) -> io::Result<(File, u64, Option<&'static str>)> {
        // The one held open, the one at the path, and those beside it that were renamed. (Devices are numbered anew at each
        // start of the machine.)
        let mut known: Vec<File> = self.open.iter().map(File::try_clone).collect::<io::Result<_>>()?;
        known.extend(File::open(&self.path).ok());
        let beside: Vec<File> = self.rotated()?.iter().filter_map(|(path, _)| File::open(path).ok()).collect();
        for file in known.iter().chain(&beside) {
            if file.metadata()?.ino() == position.inode && is_continued(file, position)? {
                return Ok((file.try_clone()?, position.offset, None));
            }
        }
        // Emptied after it was copied: the copy is read to its end first.
        for file in &beside {
            if position.known > 0 && is_continued(file, position)? {
                return Ok((file.try_clone()?, position.offset, None));
            }
        }
        let current = File::open(&self.path)?;
        let emptied = current.metadata()?.ino() == position.inode;
        Ok((current, 0, (!emptied).then_some("rotated_away")))
    }

    /// The file behind this one; none while this is the last, or nothing was written to the next yet.
    fn next(&self, this: &Metadata) -> io::Result<Option<File>> {
        let current = match File::open(&self.path) {
            Ok(file) => Some((file.metadata()?, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if current.as_ref().is_some_and(|(metadata, _)| same(metadata, this)) {
            return Ok(None);
        }
        // Several may have been rotated while nobody looked.
        let later =
            self.rotated()?.into_iter().filter(|(_, other)| !same(other, this) && changed(other) > changed(this));
        match later.min_by_key(|(_, other)| changed(other)) {
            Some((path, _)) => File::open(path).map(Some),
            None => Ok(current.filter(|(metadata, _)| metadata.len() > 0).map(|(_, file)| file)),
        }
    }

    /// Files beside the log whose names begin with its own, and that can be read as they are.
    fn rotated(&self) -> io::Result<Vec<(PathBuf, Metadata)>> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let other = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let packed = path.extension().and_then(OsStr::to_str).is_some_and(|ending| PACKED.contains(&ending));
            if !packed && other.strip_prefix(&name).is_some_and(|rest| rest.starts_with(['.', '-'])) {
                found.extend(fs::metadata(&path).ok().filter(Metadata::is_file).map(|metadata| (path, metadata)));
            }
        }
        Ok(found)
    }
}

/// The lines before this place, of so many bytes at most.
fn lines_until(file: &File, offset: u64, most: u64) -> io::Result<Vec<String>> {
    let from = offset.saturating_sub(most);
    let mut bytes = vec![0; (offset - from) as usize];
    let read = read_at(file, &mut bytes, from)?;
    // The first may be the end of a line, or of what a service writes at once with a client's line breaks in it.
    let begun = if from > 0 { read.min(TORN) } else { 0 };
    let text = String::from_utf8_lossy(&bytes[begun..read]);
    Ok(text.lines().skip(usize::from(from > 0)).map(str::to_owned).collect())
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn position(file: &File, offset: u64) -> io::Result<Position> {
    let (known, beginning) = beginning(file, BEGINNING)?;
    Ok(Position { inode: file.metadata()?.ino(), offset, known, beginning })
}

/// Whether the file still begins as it did, and is as long as it was.
fn is_continued(file: &File, position: &Position) -> io::Result<bool> {
    let same = beginning(file, position.known)? == (position.known, position.beginning);
    Ok(same && file.metadata()?.len() >= position.offset)
}

/// How many of so many first bytes are there, and their checksum.
fn beginning(file: &File, most: u64) -> io::Result<(u64, u32)> {
    let mut bytes = vec![0; most.min(BEGINNING) as usize];
    let read = read_at(file, &mut bytes, 0)?;
    Ok((read as u64, crc32fast::hash(&bytes[..read])))
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
