//! What the ledger asks of a key-value store. It may lose its newest batches in a crash, never a part of one: whatever
//! is missing is taken from the journal again.

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
