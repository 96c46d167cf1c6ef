//! Checking a journal against its own chain and its checkpoint, from the files and the public key alone. It needs no
//! secret, opens no seal, changes nothing, and goes on after a fault, to name them all.

use crate::journal::{
    checkpoint::{Checkpoint, Vkey},
    frame::{Frame, FrameError},
    merkle::{self, Hash, Tree},
    recovery, segment,
};
use std::{fs, path::Path};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the file within the journal's folder.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// The entry that should stand there.
    pub seq: u64,
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Sound entries.
    pub entries: u64,
    /// Leaf of the last of them.
    pub head_hash: Hash,
    /// Root of the tree over them.
    pub root: Hash,
    /// Whether the checkpoint is signed by this key and agrees with the entries.
    pub checkpoint_ok: bool,
    /// Entries that the checkpoint vouches for.
    pub vouched: u64,
    pub faults: Vec<Fault>,
}

struct Check {
    tree: Tree,
    previous: Hash,
    /// Number of the next entry. It parts from the tree's size where entries are broken or missing.
    next: u64,
    checkpoint: Option<Checkpoint>,
    root_there: Option<Hash>,
    faults: Vec<Fault>,
    entries: u64,
}

/// Checks the journal in a data folder that nobody writes to.
pub fn verify(data: &Path, vkey: &Vkey) -> Report {
    verify_up_to(data, vkey, None)
}

/// As `verify`, of a journal that may be growing: what lies behind entry `head` is not looked at.
pub fn verify_up_to(data: &Path, vkey: &Vkey, head: Option<u64>) -> Report {
    let mut check = Check {
        tree: Tree::default(),
        previous: [0; 32],
        next: 1,
        checkpoint: None,
        root_there: None,
        faults: Vec::new(),
        entries: 0,
    };
    match fs::read(segment::folder(data).join("checkpoint")) {
        Ok(bytes) => match vkey.check(&String::from_utf8_lossy(&bytes)) {
            Ok(checkpoint) => check.checkpoint = Some(checkpoint),
            Err(error) => check.fault("checkpoint", 0, error.to_string()),
        },
        Err(error) => check.fault("checkpoint", 0, format!("cannot be read: {error}")),
    }
    if check.checkpoint.is_some_and(|checkpoint| checkpoint.size == 0) {
        check.root_there = Some(check.tree.root());
    }
    match segment::list(data) {
        Ok(list) if list.is_empty() => check.fault("", 0, "there is no segment".to_owned()),
        Ok(list) => {
            for (first, path) in list {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match fs::read(&path) {
                    Ok(bytes) => check.segment(&name, first, &bytes, head),
                    Err(error) => check.fault(&name, 0, format!("cannot be read: {error}")),
                }
            }
        }
        Err(error) => check.fault("", 0, format!("the folder cannot be read: {error}")),
    }
    let vouched = check.checkpoint.map_or(0, |checkpoint| checkpoint.size);
    let mut checkpoint_ok = check.checkpoint.is_some();
    if let Some(checkpoint) = check.checkpoint
        && check.root_there != Some(checkpoint.root)
    {
        checkpoint_ok = false;
        let what = match check.root_there {
            None => format!("it vouches for {vouched} entries, and only {} are sound", check.entries),
            Some(_) => "the entries are not those that it vouches for".to_owned(),
        };
        check.fault("checkpoint", 0, what);
    }
    Report {
        entries: check.entries,
        head_hash: check.previous,
        root: check.tree.root(),
        checkpoint_ok,
        vouched,
        faults: check.faults,
    }
}

impl Report {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.checkpoint_ok
    }
}

impl Check {
    fn fault(&mut self, file: &str, offset: usize, what: String) {
        self.faults.push(Fault { file: file.to_owned(), offset: offset as u64, seq: self.next, what });
    }

    fn segment(&mut self, name: &str, first: u64, bytes: &[u8], head: Option<u64>) {
        if head.is_some_and(|head| self.next > head && first > 1) {
            return;
        }
        match segment::Header::read(bytes) {
            Ok(header) => {
                if header.first != first || first != self.next {
                    self.fault(name, 0, format!("entry {} is expected, the segment starts with {first}", self.next));
                    self.next = header.first;
                } else if header.previous != self.previous {
                    self.fault(name, 0, "the segment does not follow the one before".to_owned());
                }
                self.previous = header.previous;
            }
            Err(error) => self.fault(name, 0, format!("segment header: {error}")),
        }
        let mut offset = segment::HEADER;
        while offset < bytes.len() && head.is_none_or(|head| self.next <= head) {
            match Frame::read(&bytes[offset..]) {
                Ok((frame, length)) => {
                    self.frame(name, offset, &frame, &bytes[offset..offset + length]);
                    offset += length;
                }
                Err(error) => {
                    self.fault(name, offset, error.to_string());
                    if matches!(error, FrameError::Newer(_)) {
                        return;
                    }
                    let Some((at, frame)) = recovery::later_frames(bytes, offset).next() else { return };
                    // The chain is broken here and said to be; what follows is checked against itself.
                    self.next = frame.seq;
                    self.previous = frame.previous;
                    offset = at;
                }
            }
        }
    }

    fn frame(&mut self, name: &str, offset: usize, frame: &Frame<'_>, bytes: &[u8]) {
        if frame.seq != self.next {
            self.fault(name, offset, format!("entry {} is expected, entry {} stands here", self.next, frame.seq));
        } else if frame.previous != self.previous {
            self.fault(name, offset, "the entry does not follow the one before".to_owned());
        }
        self.previous = merkle::leaf(bytes);
        self.tree.push(self.previous);
        self.next = frame.seq.saturating_add(1);
        self.entries += 1;
        if self.checkpoint.is_some_and(|checkpoint| checkpoint.size == self.tree.size()) {
            self.root_there = Some(self.tree.root());
        }
    }
}
