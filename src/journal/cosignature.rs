//! Cosignatures: a witness that is somebody else vouches, with a time, that it saw a checkpoint, and that each which it saw
//! of this journal goes on from the one before (C2SP tlog-cosignature, tlog-witness). A journal that was written anew gets
//! none. It reads and writes text, and asks nobody.

use crate::journal::{
    checkpoint::{CheckpointError, key_id, read_key, signed_by, write_key},
    merkle::Hash,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use std::{fmt, str::FromStr};

/// The number of Ed25519 cosignatures with a time among the algorithms of signed notes.
const TIMED_ED25519: u8 = 4;

/// What a witness's cosignatures are checked with, printable as signed notes write it: `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    pub name: String,
    key: VerifyingKey,
}

impl WitnessKey {
    /// When the witness saw this checkpoint, which bears its cosignature.
    pub fn check(&self, note: &str) -> Result<Timestamp, CheckpointError> {
        let (text, signature) = signed_by(note, &self.name, key_id(&self.name, TIMED_ED25519, &self.key))?;
        let (time, signature) = signature.split_first_chunk::<8>().ok_or(CheckpointError::Forged)?;
        let time = i64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).map_err(|_| CheckpointError::Forged)?;
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        self.key.verify_strict(message.as_bytes(), &signature).map_err(|_| CheckpointError::Forged)?;
        // No time, or one that is none: it says that nothing was seen.
        Timestamp::from_second(time).ok().filter(|_| time > 0).ok_or(CheckpointError::Forged)
    }

    /// Of the lines that a witness answered, those by this key, under the checkpoint that it was asked about.
    pub fn under(&self, note: &str, answer: &str) -> Result<(String, Timestamp), CheckpointError> {
        let lines = answer.lines().filter(|line| line.split(' ').nth(1) == Some(&self.name));
        let checked = lines.map(|line| {
            let note = format!("{note}{line}\n");
            self.check(&note).map(|at| (note, at))
        });
        // A witness may have several keys under one name.
        let mut last = Err(CheckpointError::Unsigned);
        for checked in checked {
            match checked {
                Ok(found) => return Ok(found),
                Err(CheckpointError::Unsigned) => {}
                other => last = other,
            }
        }
        last
    }
}

/// What a witness is asked: the checkpoint, and the proof that it goes on from the `old` entries that it saw last.
pub fn question(old: u64, proof: &[Hash], note: &str) -> String {
    let proof: String = proof.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
    format!("old {old}\n{proof}\n{note}")
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write_key(&self.name, TIMED_ED25519, &self.key))
    }
}

impl FromStr for WitnessKey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<WitnessKey, CheckpointError> {
        let (name, key) = read_key(text.trim(), TIMED_ED25519).ok_or(CheckpointError::Form)?;
        Ok(WitnessKey { name, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::checkpoint::{Checkpoint, Signer};
    use ed25519_dalek::{Signer as _, SigningKey};
    use proptest::prelude::*;

    fn witness() -> (WitnessKey, SigningKey) {
        let key = SigningKey::from_bytes(&[9; 32]);
        (WitnessKey { name: "witness.example/w1".to_owned(), key: key.verifying_key() }, key)
    }

    fn line(witness: &WitnessKey, key: &SigningKey, time: i64, text: &str) -> String {
        let signature = key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        let id = key_id(&witness.name, TIMED_ED25519, &witness.key);
        let bytes = [id.as_slice(), &time.to_be_bytes(), &signature.to_bytes()].concat();
        format!("\u{2014} {} {}\n", witness.name, STANDARD.encode(bytes))
    }

    fn cosigned(time: i64) -> (WitnessKey, String, String) {
        let note = Signer::new("hr.example.org", &[3; 32]).sign(&Checkpoint { size: 7, root: [1; 32] });
        let (witness, key) = witness();
        let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
        let line = line(&witness, &key, time, &text);
        (witness, note, line)
    }

    #[test]
    fn a_cosignature_is_taken_with_its_time_and_others_are_passed_over() {
        let (witness, note, line) = cosigned(1_790_000_000);
        assert_eq!(witness.to_string().parse::<WitnessKey>().unwrap(), witness);
        assert!(witness.to_string().parse::<crate::journal::checkpoint::Vkey>().is_err(), "it signs nothing else");
        let other = format!("\u{2014} other.example {}\n", STANDARD.encode([0; 76]));
        let (taken, at) = witness.under(&note, &format!("{other}{line}")).unwrap();
        assert_eq!((taken, at.as_second()), (format!("{note}{line}"), 1_790_000_000));
        assert_eq!(witness.under(&note, &other), Err(CheckpointError::Unsigned));
        let (_, elsewhere, _) = cosigned(1_790_000_000);
        assert!(witness.under(&elsewhere.replace("\n7\n", "\n8\n"), &line).is_err(), "of another checkpoint");
        for time in [0, -5, i64::MAX] {
            let (witness, note, line) = cosigned(time);
            assert_eq!(witness.under(&note, &line), Err(CheckpointError::Forged));
        }
        assert_eq!(question(3, &[[0; 32]], "note\n"), format!("old 3\n{}\n\nnote\n", STANDARD.encode([0; 32])));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (witness, note, line) = cosigned(1_790_000_000);
            let mut bytes = STANDARD.decode(line.rsplit_once(' ').unwrap().1.trim()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let flipped = format!("\u{2014} {} {}\n", witness.name, STANDARD.encode(bytes));
            prop_assert!(witness.under(&note, &flipped).is_err());
        }

        #[test]
        fn no_answer_makes_it_panic(answer in "(\u{2014} )?[ -~\n]{0,200}") {
            let (witness, note, _) = cosigned(1);
            prop_assert!(witness.under(&note, &answer).is_err());
        }
    }
}
