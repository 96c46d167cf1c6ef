//! The login endpoints that have a filter: their names, and nothing of what is in it.

use crate::ledger::{
    row::{self, Key, Table},
    state::{Ledger, LedgerError},
};

impl Ledger {
    /// Every endpoint that a filter was ever built for.
    pub fn gates(&self) -> Result<Vec<String>, LedgerError> {
        self.all(&Key::of(Table::Gate), |key, _| Ok(row::split_text(&key[1..])?.0))
    }
}
