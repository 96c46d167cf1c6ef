//! The files that the journal's frames lie in: each starts with a header that ties it to the entry before, and holds
//! about 64 MiB. Only names and headers are known here.

use crate::journal::{frame::FrameError, merkle::Hash};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A new segment is begun once one is this long.
pub const FULL: u64 = 64 << 20;
/// Bytes before the first frame.
pub const HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"TTJOURNL";
/// The version that this binary writes, and the newest that it reads.
pub const VERSION: u16 = 1;

/// What the start of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of its first entry.
    pub first: u64,
    /// Leaf hash of the entry before.
    pub previous: Hash,
}

impl Header {
    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.previous);
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of a segment's bytes.
    pub fn read(bytes: &[u8]) -> Result<Header, FrameError> {
        let bytes = bytes.get(..HEADER).ok_or(FrameError::Short)?;
        if bytes[..8] != MAGIC {
            return Err(FrameError::Magic);
        }
        if bytes[60..] != crc32fast::hash(&bytes[..60]).to_le_bytes() {
            return Err(FrameError::Checksum);
        }
        match u16::from_le_bytes([bytes[8], bytes[9]]) {
            VERSION => {}
            0 => return Err(FrameError::Field),
            newer => return Err(FrameError::Newer(newer)),
        }
        Ok(Header {
            first: u64::from_le_bytes(bytes[16..24].try_into().map_err(|_| FrameError::Short)?),
            previous: bytes[24..56].try_into().map_err(|_| FrameError::Short)?,
        })
    }
}

/// The folder of the segments within a data folder.
pub fn folder(data: &Path) -> PathBuf {
    data.join("journal")
}

/// Where the segment lies whose first entry has this number.
pub fn path(data: &Path, first: u64) -> PathBuf {
    folder(data).join(format!("{first:020}.segment"))
}

/// The segments that are there, oldest first, by the number of their first entry.
pub fn list(data: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder(data)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "segment")
            && let Some(first) = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
        {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}
