//! The first time stamp over a checkpoint that vouches for a whole case. It belongs to the case from the moment that it
//! is journaled; later ones change nothing. It asks no authority.

use crate::{
    domain::record::Record,
    flow::{context::Context, error::FlowError},
    journal::checkpoint::CheckpointError,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Serialize;

/// A stamped checkpoint.
#[derive(Clone, Serialize)]
pub struct Stamped {
    /// The journal entry that holds it.
    pub entry: u64,
    /// Entries that the checkpoint vouches for.
    pub entries: u64,
    /// When it was stamped, by the authority's clock, and by ours.
    pub stamped_at: Timestamp,
    pub received_at: Timestamp,
    #[serde(skip)]
    pub checkpoint: String,
    #[serde(skip)]
    pub answer: Vec<u8>,
    #[serde(skip)]
    pub roots: String,
}

impl Stamped {
    /// Seconds by which the authority's clock was ahead of ours.
    pub fn offset(&self) -> f64 {
        self.stamped_at.duration_since(self.received_at).as_secs_f64()
    }
}

/// The stamp over a case of so many entries, if there is one under the journal's present name.
pub fn over(context: &Context, size: u64) -> Result<Option<Stamped>, FlowError> {
    let Some(seq) = context.ledger.stamp_over(size)? else { return Ok(None) };
    let Some(entry) = context.journal.get(seq).map_err(anyhow::Error::from)? else { return Ok(None) };
    let Ok(Record::Stamped { checkpoint, size, answer, stamped_at, roots }) = entry.record else { return Ok(None) };
    match context.journal.vkey().check(&checkpoint) {
        Ok(_) => {}
        // The organisation was renamed since, and the bundle bears one name.
        Err(CheckpointError::Origin) => return Ok(None),
        Err(error) => return Err(anyhow::anyhow!("the stamped checkpoint of entry {seq}: {error}").into()),
    }
    Ok(Some(Stamped {
        entry: seq,
        entries: size,
        stamped_at,
        received_at: entry.at,
        checkpoint,
        answer: STANDARD.decode(answer).map_err(anyhow::Error::from)?,
        roots,
    }))
}
