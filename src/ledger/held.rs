//! Touches that arrived before the index was ready, by number. What they hold stays sealed in the journal.

use crate::ledger::{
    engine::EngineError,
    row::{self, Key, Table},
    state::{Ledger, LedgerError},
    view::View,
};

pub(crate) fn held(view: &mut View<'_>, seq: u64) -> Result<(), EngineError> {
    view.put(Key::of(Table::Held).number(seq), &())
}

pub(crate) fn released(view: &mut View<'_>, up_to: u64) -> Result<(), EngineError> {
    let held = view.scan::<()>(&Key::of(Table::Held))?;
    for key in held.keys() {
        let seq = row::last_number(key)?;
        if seq <= up_to {
            view.remove(Key::of(Table::Held).number(seq));
        }
    }
    Ok(())
}

impl Ledger {
    /// The entries of touches that are not recognised yet, oldest first.
    pub fn held(&self) -> Result<Vec<u64>, LedgerError> {
        self.all(&Key::of(Table::Held), |key, _| row::last_number(key))
    }
}
