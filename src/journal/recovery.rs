//! Reading the segments when the journal is opened: every frame is checked, a torn end is told from damage. It changes
//! nothing; whoever calls cuts the torn end off.
//!
//! A torn end is what a crash leaves of a batch that was never acknowledged. Each frame names the entry up to which
//! everything was durable when it was written (`settled`), so a broken frame that a later frame or the checkpoint
//! vouches for is damage, and the journal does not open over it. What was appended together counts as a whole or not at
//! all: an append whose last entries are torn is torn from its first.

use crate::journal::{
    checkpoint::Checkpoint,
    frame::{self, Frame, FrameError, Mark},
    merkle::{self, Hash, Tree},
    segment,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What recovery found.
pub(crate) struct Recovered {
    /// Number of the first entry of each segment.
    pub segments: Vec<u64>,
    /// Where each entry lies.
    pub positions: Vec<Position>,
    pub tree: Tree,
    /// Leaf of the last entry.
    pub previous: Hash,
    /// Length of the last segment without its torn end.
    pub length: u64,
    /// Bytes of the torn end.
    pub torn: u64,
    /// Up to where in the last segment a later frame or the checkpoint says that everything was durable, and what stands behind.
    pub proven: u64,
    pub unproven: Vec<u8>,
    /// The last entry that folded strangers; 0 for none.
    pub last_fold: u64,
    /// Entries that a later frame or the checkpoint says were durable.
    settled: u64,
}

/// Where an entry lies: index of its segment, and offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(u64);

impl Position {
    pub fn new(segment: usize, offset: u64) -> Position {
        Position((segment as u64) << 40 | offset)
    }

    pub fn segment(self) -> usize {
        (self.0 >> 40) as usize
    }

    pub fn offset(self) -> u64 {
        self.0 & ((1 << 40) - 1)
    }
}

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    #[error("cannot read {}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} was written by a newer telltale (format {version}); this one knows formats up to {}: use the newer one", .path.display(), frame::VERSION)]
    Newer { path: PathBuf, version: u16 },
    #[error("{} is damaged at byte {offset}, entry {seq}: {what}; restore a backup, or ask `telltale evidence verify` what is left", .path.display())]
    Damaged { path: PathBuf, offset: u64, seq: u64, what: String },
}

/// Reads every segment of a data folder.
pub(crate) fn recover(data: &Path, checkpoint: Option<Checkpoint>) -> Result<Recovered, Unsound> {
    let list = segment::list(data).map_err(|error| Unsound::Io { path: segment::folder(data), error })?;
    let mut found = Recovered {
        segments: Vec::new(),
        positions: Vec::new(),
        tree: Tree::default(),
        previous: [0; 32],
        length: 0,
        torn: 0,
        proven: 0,
        unproven: Vec::new(),
        last_fold: 0,
        settled: 0,
    };
    let count = list.len();
    for (index, (first, path)) in list.into_iter().enumerate() {
        let bytes = fs::read(&path).map_err(|error| Unsound::Io { path: path.clone(), error })?;
        read_segment(&mut found, &path, first, &bytes, index + 1 == count, checkpoint)?;
    }
    let head = found.tree.size();
    if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size > head) {
        return Err(Unsound::Damaged {
            path: segment::folder(data),
            offset: found.length,
            seq: head + 1,
            what: format!("the checkpoint vouches for {} entries, and the journal ends here", checkpoint.size),
        });
    }
    Ok(found)
}

fn read_segment(
    found: &mut Recovered,
    path: &Path,
    first: u64,
    bytes: &[u8],
    last: bool,
    checkpoint: Option<Checkpoint>,
) -> Result<(), Unsound> {
    let next = found.tree.size() + 1;
    let damaged = |offset: usize, seq, what: String| {
        Err(Unsound::Damaged { path: path.to_owned(), offset: offset as u64, seq, what })
    };
    match segment::Header::read(bytes) {
        Ok(header) if header.first == first && first == next && header.previous == found.previous => {}
        Ok(_) => return damaged(0, next, "the segment does not follow the one before".to_owned()),
        Err(FrameError::Newer(version)) => return Err(Unsound::Newer { path: path.to_owned(), version }),
        // A segment is begun, and its header synced, before its first frame is written.
        Err(_) if last && first == next && bytes.len() <= segment::HEADER => {
            found.torn = bytes.len() as u64;
            found.segments.push(first);
            (found.length, found.proven) = (0, 0);
            return Ok(());
        }
        Err(error) => return damaged(0, next, format!("segment header: {error}")),
    }
    found.segments.push(first);
    let mut offset = segment::HEADER;
    // Where an append begins whose last entry has not come yet, and what was found before it.
    let mut begun: Option<(usize, Tree, Hash, u64)> = None;
    while offset < bytes.len() {
        let seq = found.tree.size() + 1;
        let what = match Frame::read(&bytes[offset..]) {
            Ok((frame, length)) if frame.seq == seq && frame.previous == found.previous => {
                if frame.more {
                    begun.get_or_insert_with(|| (offset, found.tree.clone(), found.previous, found.last_fold));
                } else {
                    begun = None;
                }
                take(found, &frame, &bytes[offset..offset + length], offset);
                if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size == seq) {
                    if found.tree.root() != checkpoint.root {
                        return damaged(offset, seq, "the entries so far are not those of the checkpoint".to_owned());
                    }
                    // It is signed over what is durable alone.
                    found.settled = found.settled.max(seq);
                }
                offset += length;
                continue;
            }
            Ok(_) => "the frame does not follow the one before".to_owned(),
            Err(FrameError::Newer(version)) => return Err(Unsound::Newer { path: path.to_owned(), version }),
            Err(error) => error.to_string(),
        };
        let vouched = checkpoint.is_some_and(|checkpoint| checkpoint.size >= seq)
            || later_frames(bytes, offset).any(|(_, frame)| frame.settled >= seq);
        if !last || vouched {
            return damaged(offset, seq, what);
        }
        break;
    }
    if let Some((start, tree, previous, last_fold)) = begun {
        let seq = tree.size() + 1;
        if !last || checkpoint.is_some_and(|checkpoint| checkpoint.size >= seq) {
            return damaged(start, seq, "the last entries of an append are missing".to_owned());
        }
        offset = start;
        found.positions.truncate(tree.size() as usize);
        (found.tree, found.previous, found.last_fold) = (tree, previous, last_fold);
    }
    found.torn = (bytes.len() - offset) as u64;
    found.length = offset as u64;
    if last {
        let next = found.positions.get(found.settled as usize).map_or(offset, |position| position.offset() as usize);
        let proven = if found.settled < first { 0 } else { next };
        found.unproven = bytes[proven..offset].to_vec();
        found.proven = proven as u64;
    }
    Ok(())
}

fn take(found: &mut Recovered, frame: &Frame<'_>, bytes: &[u8], offset: usize) {
    found.positions.push(Position::new(found.segments.len() - 1, offset as u64));
    found.previous = merkle::leaf(bytes);
    found.tree.push(found.previous);
    found.settled = found.settled.max(frame.settled);
    if frame.mark == Mark::Folds {
        found.last_fold = frame.seq;
    }
}

/// Whole frames that start anywhere after `offset`.
pub(crate) fn later_frames(bytes: &[u8], offset: usize) -> impl Iterator<Item = (usize, Frame<'_>)> {
    let magic = frame::MAGIC;
    (offset + 1..bytes.len().saturating_sub(frame::HEADER - 1))
        .filter(move |at| bytes[*at] == magic[0] && bytes[*at..*at + 4] == magic)
        .filter_map(|at| Frame::read(&bytes[at..]).ok().map(|(frame, _)| (at, frame)))
}
