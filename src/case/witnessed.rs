//! The cosignature of a witness under the checkpoint that vouches for a whole case: the one that was stamped with the time, or
//! where none was, the first that was cosigned. It belongs to the case from the moment that it is
//! journaled, unless a stamp comes to fix another checkpoint. It asks nobody.

use crate::{
    domain::record::Record,
    flow::{context::Context, error::FlowError},
    journal::checkpoint::CheckpointError,
};
use jiff::Timestamp;
use serde::Serialize;

/// A cosigned checkpoint.
#[derive(Clone, Serialize)]
pub struct Witnessed {
    /// The journal entry that holds it.
    pub entry: u64,
    /// Entries that the checkpoint vouches for.
    pub entries: u64,
    /// The witness's public key.
    pub witness: String,
    /// When it was cosigned, by the witness's clock.
    pub cosigned_at: Timestamp,
    #[serde(skip)]
    pub checkpoint: String,
}

/// The cosignature under the checkpoint of so many entries, where a stamp fixes it; else under one that vouches for a case of
/// `size` entries.
pub fn over(context: &Context, size: u64, stamped: Option<u64>) -> Result<Option<Witnessed>, FlowError> {
    let found = context.ledger.cosignature_over(stamped.unwrap_or(size))?;
    let Some((entries, seq)) = found.filter(|(entries, _)| stamped.is_none_or(|stamped| stamped == *entries)) else {
        return Ok(None);
    };
    let Some(entry) = context.journal.get(seq).map_err(anyhow::Error::from)? else { return Ok(None) };
    let Ok(Record::Witnessed { checkpoint, witness, cosigned_at, .. }) = entry.record else { return Ok(None) };
    match context.journal.vkey().check(&checkpoint) {
        Ok(_) => Ok(Some(Witnessed { entry: seq, entries, witness, cosigned_at, checkpoint })),
        // The organisation was renamed since, and the bundle bears one name.
        Err(CheckpointError::Origin) => Ok(None),
        Err(error) => Err(anyhow::anyhow!("the cosigned checkpoint of entry {seq}: {error}").into()),
    }
}
