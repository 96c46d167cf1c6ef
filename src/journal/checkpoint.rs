//! Signed checkpoints (C2SP tlog-checkpoint: a note with origin, size and root, signed with Ed25519). Whoever keeps one
//! elsewhere can prove later that nothing before it was changed. It reads and writes text, no file.

use crate::journal::merkle::Hash;
use base64::{Engine, engine::general_purpose::STANDARD};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

const ED25519: u8 = 1;

/// A journal's size and root at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries in the tree.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// What a checkpoint's signature is checked with, printable in the form of signed notes: `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    /// The origin: a host's name without a scheme.
    pub name: String,
    /// The public key.
    pub key: VerifyingKey,
}

/// What signs checkpoints.
pub struct Signer {
    vkey: Vkey,
    key: SigningKey,
}

/// Why a text is no checkpoint of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("it is not a checkpoint")]
    Form,
    #[error("it is the checkpoint of another origin")]
    Origin,
    #[error("it bears no signature by this journal's key")]
    Unsigned,
    #[error("its signature does not match")]
    Forged,
}

impl Signer {
    /// A signer for an origin. Characters that a key name must not have (spaces, `+`) become hyphens.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Signer {
        let name: String =
            origin.chars().map(|c| if c.is_whitespace() || c.is_control() || c == '+' { '-' } else { c }).collect();
        let name = if name.is_empty() { "telltale".to_owned() } else { name };
        let key = SigningKey::from_bytes(seed);
        Signer { vkey: Vkey { name, key: key.verifying_key() }, key }
    }

    /// The public half.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The signed note over a checkpoint.
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let Vkey { name, .. } = &self.vkey;
        self.note(&format!("{name}\n{}\n{}\n", checkpoint.size, STANDARD.encode(checkpoint.root)))
    }

    /// A signed note over any text that ends with a line end. The same text gives the same note.
    pub fn note(&self, text: &str) -> String {
        let mut signature = self.vkey.id().to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n\u{2014} {} {}\n", self.vkey.name, STANDARD.encode(signature))
    }
}

impl Vkey {
    fn id(&self) -> [u8; 4] {
        key_id(&self.name, ED25519, &self.key)
    }

    /// Reads a checkpoint and checks its signature; signatures by others are passed over, as the specification asks.
    pub fn check(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let (text, _) = parts(note)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        if origin != self.name {
            return Err(CheckpointError::Origin);
        }
        let count: u64 = size.parse().map_err(|_| CheckpointError::Form)?;
        if count.to_string() != size {
            return Err(CheckpointError::Form);
        }
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointError::Form)?;
        self.open(note)?;
        Ok(Checkpoint { size: count, root })
    }

    /// The text of a note that this key signed, whatever it says.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, CheckpointError> {
        let (text, signature) = signed_by(note, &self.name, self.id())?;
        let signature = Signature::from_slice(&signature).map_err(|_| CheckpointError::Forged)?;
        self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| CheckpointError::Forged)?;
        Ok(text)
    }
}

/// The text of a note and, unchecked, the signature that a key of this name and id put under it; others are passed over.
pub(super) fn signed_by<'a>(note: &'a str, name: &str, id: [u8; 4]) -> Result<(&'a str, Vec<u8>), CheckpointError> {
    let (text, signatures) = parts(note)?;
    if !signatures.ends_with('\n') {
        return Err(CheckpointError::Form);
    }
    for line in signatures.lines() {
        let (signer, signature) =
            line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or(CheckpointError::Form)?;
        let signature = STANDARD.decode(signature).map_err(|_| CheckpointError::Form)?;
        if let Some((found, signature)) = signature.split_first_chunk::<4>()
            && signer == name
            && *found == id
        {
            return Ok((&note[..text.len() + 1], signature.to_vec()));
        }
    }
    Err(CheckpointError::Unsigned)
}

/// What names a key in signed notes. The algorithm is its number there.
pub(super) fn key_id(name: &str, algorithm: u8, key: &VerifyingKey) -> [u8; 4] {
    let named = Sha256::new().chain_update(name.as_bytes()).chain_update([b'\n', algorithm]);
    let digest = named.chain_update(key.as_bytes()).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// A key as signed notes write it: `name+id+key`.
pub(super) fn write_key(name: &str, algorithm: u8, key: &VerifyingKey) -> String {
    let bytes = [&[algorithm], key.as_bytes().as_slice()].concat();
    format!("{name}+{}+{}", HEXLOWER.encode(&key_id(name, algorithm, key)), STANDARD.encode(bytes))
}

/// Reads such a key of this algorithm.
pub(super) fn read_key(text: &str, algorithm: u8) -> Option<(String, VerifyingKey)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = STANDARD.decode(key).ok()?;
    let key = bytes.strip_prefix(&[algorithm]).and_then(|key| key.try_into().ok())?;
    let key = VerifyingKey::from_bytes(&key).ok()?;
    (HEXLOWER.encode(&key_id(name, algorithm, &key)) == id).then(|| (name.to_owned(), key))
}

/// What is signed, without its last line end, and the lines of signatures.
fn parts(note: &str) -> Result<(&str, &str), CheckpointError> {
    note.rsplit_once("\n\n").ok_or(CheckpointError::Form)
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_key(&self.name, ED25519, &self.key))
    }
}

impl FromStr for Vkey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Vkey, CheckpointError> {
        let (name, key) = read_key(text, ED25519).ok_or(CheckpointError::Form)?;
        Ok(Vkey { name, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signed() -> (Signer, String) {
        let signer = Signer::new("mairie.example.org/telltale", &[7; 32]);
        let note = signer.sign(&Checkpoint { size: 42, root: [5; 32] });
        (signer, note)
    }

    #[test]
    fn a_note_goes_round_and_names_its_key() {
        let (signer, note) = signed();
        assert_eq!(signer.vkey().check(&note).unwrap(), Checkpoint { size: 42, root: [5; 32] });
        let printed: Vkey = signer.vkey().to_string().parse().unwrap();
        assert_eq!(&printed, signer.vkey());
        let cosigned = format!("{note}\u{2014} witness.example {}\n", STANDARD.encode([0; 68]));
        assert_eq!(printed.check(&cosigned).unwrap().size, 42);
        assert_eq!(Signer::new("other", &[7; 32]).vkey().check(&note), Err(CheckpointError::Origin));
        let stranger = Signer::new("mairie.example.org/telltale", &[8; 32]);
        assert_eq!(stranger.vkey().check(&note), Err(CheckpointError::Unsigned));
        assert!(signer.vkey().check(&note.replace("\n42\n", "\n042\n")).is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (signer, note) = signed();
            let mut bytes = note.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(signer.vkey().check(&text).is_err());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*\n[0-9]*\n\\PC*\n\n\u{2014} \\PC*\n") {
            let _ = signed().0.vkey().check(&text);
            let _ = text.parse::<Vkey>();
        }
    }
}
