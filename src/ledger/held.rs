//! Touches that arrived before the index was ready, by number. What they hold stays sealed in the journal.

use crate::ledger::{
    engine::EngineError,
    row::{self, Key, Table},
    state::{Ledger, LedgerError},
    view::View,
};

pub(crate) fn held(view: &mut View<'_>, seq: u64, key: &[u8; 16]) -> Result<(), EngineError> {
    view.put(Key::of(Table::HeldKey).bytes(key), &())?;
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

    /// Every key that ever sealed such touches: erased ones among them.
    pub fn held_keys(&self) -> Result<Vec<[u8; 16]>, LedgerError> {
        self.all(&Key::of(Table::HeldKey), |key, _| key.last_chunk::<16>().copied().ok_or(EngineError::Damaged))
    }
}
