//! What shows, without the journal, that an entry is in it: the sealed entry, its inclusion proof and a signed checkpoint
//! (C2SP tlog-proof), and for entries that may be read, what opens this one seal. It gives away no data key.

use crate::journal::{
    checkpoint::{Checkpoint, Signer},
    frame::Frame,
    log::{Journal, JournalError},
    merkle::{self, Hash, Whole},
    seal::{self, DataKey},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::BTreeSet;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The journal's first entries, and the proofs of some of them.
pub struct Proven {
    /// The signed checkpoint over the first entries.
    pub checkpoint: String,
    pub entries: Vec<ProvenEntry>,
}

/// One entry and its proof.
pub struct ProvenEntry {
    /// Its number, from 1. Its index in the tree is one less.
    pub seq: u64,
    /// The sealed entry, byte for byte: its leaf is the hash of a zero byte and these.
    pub sealed: Vec<u8>,
    /// The tlog-proof.
    pub proof: String,
    /// What opens this one seal, where the entry was to be opened and its key is still there.
    pub opening: Option<DataKey>,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("it is not a tlog-proof")]
    Form,
    #[error("it is for another checkpoint")]
    Checkpoint,
    #[error("it does not lead from the entry to the checkpoint's root")]
    Elsewhere,
}

/// Proves entries within the tree of the first `size` entries. All that lies before is read and must be what was signed:
/// of a journal that was changed nothing is proven. Blocks.
pub fn prove(
    journal: &Journal,
    whole: &Checkpoint,
    size: u64,
    wanted: &BTreeSet<u64>,
    opened: &BTreeSet<u64>,
) -> Result<Proven, JournalError> {
    if size > whole.size {
        return Err(JournalError::Unreadable { seq: size, what: "it is younger than the checkpoint" });
    }
    let mut entries = journal.read(1);
    let (mut leaves, mut kept) = (Vec::new(), Vec::new());
    for seq in 1..=whole.size {
        let sealed = entries.sealed().transpose()?.ok_or(JournalError::Unreadable { seq, what: "there is none" })?;
        leaves.push(merkle::leaf(&sealed));
        if seq <= size && wanted.contains(&seq) {
            kept.push((seq, sealed));
        }
    }
    let signed = Whole::of(leaves.clone()).root();
    if signed != whole.root {
        return Err(JournalError::Unreadable { seq: whole.size, what: "the entries on the disk are not those signed" });
    }
    leaves.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let tree = Whole::of(leaves);
    let checkpoint = journal.shared().signer.sign(&Checkpoint { size, root: tree.root() });
    let mut proven = Vec::with_capacity(kept.len());
    for (seq, sealed) in kept {
        let index = seq - 1;
        let path = tree.path(usize::try_from(index).unwrap_or(usize::MAX));
        let opening = match Frame::read(&sealed) {
            Ok((frame, _)) if opened.contains(&seq) => {
                journal.keyring().key(frame.key).map(|key| seal::opening(&key, &frame.nonce))
            }
            _ => None,
        };
        proven.push(ProvenEntry { seq, proof: text(index, &path, &checkpoint), sealed, opening });
    }
    Ok(Proven { checkpoint, entries: proven })
}

/// The proof that the journal which a checkpoint vouches for begins with its first `old` entries. All of it is read, and must
/// be what was signed. Blocks.
pub fn consistency(journal: &Journal, checkpoint: &Checkpoint, old: u64) -> Result<Vec<Hash>, JournalError> {
    if old == 0 || old == checkpoint.size {
        return Ok(Vec::new());
    }
    let mut entries = journal.read(1);
    let mut leaves = Vec::new();
    for seq in 1..=checkpoint.size {
        let sealed = entries.sealed().transpose()?.ok_or(JournalError::Unreadable { seq, what: "there is none" })?;
        leaves.push(merkle::leaf(&sealed));
    }
    let tree = Whole::of(leaves);
    if tree.root() != checkpoint.root {
        let what = "the entries on the disk are not those signed";
        return Err(JournalError::Unreadable { seq: checkpoint.size, what });
    }
    let proof = usize::try_from(old).ok().and_then(|old| tree.consistency(old));
    proof.ok_or(JournalError::Unreadable { seq: old, what: "there are fewer entries" })
}

/// The tlog-proof of the entry at this index.
pub fn text(index: u64, path: &[Hash], checkpoint: &str) -> String {
    let hashes: String = path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
    format!("{FIRST_LINE}\nindex {index}\n{hashes}\n{checkpoint}")
}

/// Checks a tlog-proof of this sealed entry under a checkpoint whose signature was checked already, and which the proof
/// must repeat word for word. Answers the entry's index.
pub fn check(proof: &str, sealed: &[u8], note: &str, checkpoint: &Checkpoint) -> Result<u64, ProofError> {
    let rest = proof.strip_prefix(FIRST_LINE).and_then(|rest| rest.strip_prefix("\nindex ")).ok_or(ProofError::Form)?;
    let (head, repeated) = rest.split_once("\n\n").ok_or(ProofError::Form)?;
    let mut lines = head.split('\n');
    let number = lines.next().unwrap_or_default();
    let index: u64 = number.parse().map_err(|_| ProofError::Form)?;
    if index.to_string() != number {
        return Err(ProofError::Form);
    }
    let hash = |line: &str| STANDARD.decode(line).ok().and_then(|hash| Hash::try_from(hash).ok());
    let path = lines.map(hash).collect::<Option<Vec<Hash>>>().ok_or(ProofError::Form)?;
    if repeated != note {
        return Err(ProofError::Checkpoint);
    }
    match merkle::led_to(merkle::leaf(sealed), index, checkpoint.size, &path) {
        Some(root) if root == checkpoint.root => Ok(index),
        _ => Err(ProofError::Elsewhere),
    }
}

impl Journal {
    /// The journal's key under another name: for notes that are no checkpoints.
    pub fn signer_for(&self, name: &str) -> Signer {
        Signer::new(name, &self.keyring().derive("checkpoint"))
    }
}
