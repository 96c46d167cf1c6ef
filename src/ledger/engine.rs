//! What the ledger asks of a key-value store. It may lose its newest batches in a crash, never a part of one: whatever
//! is missing is taken from the journal again.

use crate::ledger::{redb, sled};
use serde::Deserialize;
use std::{panic, path::Path, sync::Arc};

/// One row to write; none to remove it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// A row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Rows as they are read.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<Row, EngineError>> + 'a>;

/// The store failed. The ledger mends it by rebuilding; whoever asked tries again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the ledger's store failed: {0}; it is rebuilt from the journal")]
    Failed(String),
    #[error("a row of the ledger is damaged; it is rebuilt from the journal")]
    Damaged,
}

/// A store of rows, ordered by key.
pub trait Engine: Send + Sync {
    /// Writes all of these rows or none.
    fn apply(&self, batch: Vec<Change>) -> Result<(), EngineError>;

    /// The value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// The rows whose keys start with `prefix`, in order, from the key `from` on where it is within.
    fn scan<'a>(&'a self, prefix: &[u8], from: Option<&[u8]>) -> Rows<'a>;

    /// The rows whose keys start with `prefix`, the last first, from before the key `before` on where it is within.
    fn scan_back<'a>(&'a self, prefix: &[u8], before: Option<&[u8]>) -> Rows<'a>;

    /// Brings everything to the disk.
    fn sync(&self) -> Result<(), EngineError>;
}

/// The engines that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Sled,
    Redb,
}

impl Kind {
    /// Opens or makes a store of this kind in a folder.
    ///
    /// # Errors
    /// It does not open, or the folder is another kind's.
    pub fn open(self, folder: &Path) -> Result<Arc<dyn Engine>, EngineError> {
        let others = match self {
            Kind::Sled => redb::FILE,
            Kind::Redb => sled::FILE,
        };
        if folder.join(others).exists() {
            return Err(EngineError::Failed("it is of another engine".to_owned()));
        }
        // Some damage makes them panic instead of answering an error.
        let opened = panic::catch_unwind(|| -> Result<Arc<dyn Engine>, EngineError> {
            Ok(match self {
                Kind::Sled => Arc::new(sled::Sled::open(folder)?),
                Kind::Redb => Arc::new(redb::Redb::open(folder)?),
            })
        });
        opened.unwrap_or_else(|_| Err(EngineError::Failed("it panicked while it opened".to_owned())))
    }
}

/// The first key behind all that start with `prefix`; none where there is none.
pub(crate) fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

/// As `end_of`, but not behind the key `before`.
pub(crate) fn end_before(prefix: &[u8], before: Option<&[u8]>) -> Option<Vec<u8>> {
    match (before, end_of(prefix)) {
        (Some(before), Some(end)) => Some(end.min(before.to_vec())),
        (before, end) => before.map(<[u8]>::to_vec).or(end),
    }
}
