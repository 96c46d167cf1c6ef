//! Whether the leaked files that were taken in are still what they were: every sealed piece opens, and all of them together have
//! the digest that was journaled. It shows nothing of what is in them, and passes over files whose key was erased.

use crate::{
    domain::record::Record,
    flow::{context::Context, error::FlowError},
    journal::{evidence::Evidence, key_ref::KeyRef},
};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// What was looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Intact {
    /// Files that are as they were taken in.
    pub sound: u64,
    /// What is wrong with the others.
    pub faults: Vec<String>,
}

/// Reads every file that was taken in and not erased. Blocks.
pub fn intact(context: &Context) -> Result<Intact, FlowError> {
    let evidence = Evidence::new(&context.data, context.keyring.clone());
    let mut found = Intact::default();
    for entry in context.journal.read(1) {
        let entry = entry.map_err(anyhow::Error::from)?;
        let Ok(Record::MaterialTaken { file, sha256, bytes, .. }) = entry.record else { continue };
        let name: Option<[u8; 16]> = HEXLOWER.decode(file.as_bytes()).ok().and_then(|name| name.try_into().ok());
        if name.is_none_or(|name| context.keyring.key(KeyRef::File(name)).is_none()) {
            continue;
        }
        let mut digest = Digested(Sha256::new());
        match evidence.give(&file, &mut digest) {
            Ok(length) if length == bytes && HEXLOWER.encode(&digest.0.finalize()) == sha256 => found.sound += 1,
            Ok(_) => found.faults.push(format!("evidence file {file} is not what entry {} took in", entry.seq)),
            Err(error) => found.faults.push(format!("{error} (entry {})", entry.seq)),
        }
    }
    Ok(found)
}

struct Digested(Sha256);

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
