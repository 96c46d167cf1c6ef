//! Which checkpoints an authority has stamped with the time and a witness has cosigned, and since when there is something
//! new to vouch for. Stamps and cosignatures themselves stay in the journal.

use crate::ledger::{
    engine::EngineError,
    row::{self, Key, Table},
    state::{Ledger, LedgerError},
    view::View,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What one outsider has vouched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// Entry and time of the last time that it did.
    pub last: Option<(u64, Timestamp)>,
    /// Entries that it vouched for then.
    pub size: u64,
    /// Entry that tells that it fails; none once it vouched again.
    pub failing: Option<u64>,
}

/// What is known of stamps and cosignatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    pub authority: Vouched,
    pub witness: Vouched,
    /// Entry and time at which an incident moved last.
    pub moved: Option<(u64, Timestamp)>,
}

fn known() -> Key {
    Key::of(Table::Meta).text("stamps")
}

fn change(view: &mut View<'_>, change: impl FnOnce(&mut Stamps)) -> Result<(), EngineError> {
    let mut stamps: Stamps = view.get(&known())?.unwrap_or_default();
    change(&mut stamps);
    view.put(known(), &stamps)
}

pub(crate) fn stamped(view: &mut View<'_>, seq: u64, at: Timestamp, size: u64) -> Result<(), EngineError> {
    change(view, |stamps| stamps.authority = Vouched { last: Some((seq, at)), size, failing: None })?;
    first(view, Table::Stamp, seq, size)
}

pub(crate) fn witnessed(view: &mut View<'_>, seq: u64, at: Timestamp, size: u64) -> Result<(), EngineError> {
    change(view, |stamps| stamps.witness = Vouched { last: Some((seq, at)), size, failing: None })?;
    first(view, Table::Cosignature, seq, size)
}

fn first(view: &mut View<'_>, table: Table, seq: u64, size: u64) -> Result<(), EngineError> {
    let known: Option<u64> = view.get(&Key::of(table).number(size))?;
    if known.is_none() {
        view.put(Key::of(table).number(size), &seq)?;
    }
    Ok(())
}

pub(crate) fn failing(view: &mut View<'_>, seq: u64) -> Result<(), EngineError> {
    change(view, |stamps| stamps.authority.failing = Some(seq))
}

pub(crate) fn witness_failing(view: &mut View<'_>, seq: u64) -> Result<(), EngineError> {
    change(view, |stamps| stamps.witness.failing = Some(seq))
}

pub(crate) fn moved(view: &mut View<'_>, seq: u64, at: Timestamp) -> Result<(), EngineError> {
    change(view, |stamps| stamps.moved = Some((seq, at)))
}

impl Ledger {
    /// What is known of stamps.
    pub fn stamps(&self) -> Result<Stamps, LedgerError> {
        Ok(self.one(&known())?.unwrap_or_default())
    }

    /// The entry of the first stamp over a checkpoint that vouches for so many entries.
    pub fn stamp_over(&self, entries: u64) -> Result<Option<u64>, LedgerError> {
        Ok(self.first_over(Table::Stamp, entries)?.map(|(_, seq)| seq))
    }

    /// Size and entry of the first cosignature under a checkpoint that vouches for so many entries.
    pub fn cosignature_over(&self, entries: u64) -> Result<Option<(u64, u64)>, LedgerError> {
        self.first_over(Table::Cosignature, entries)
    }

    fn first_over(&self, table: Table, entries: u64) -> Result<Option<(u64, u64)>, LedgerError> {
        let mut found = None;
        self.each(&Key::of(table), Some(&Key::of(table).number(entries)), |key, value| {
            found = Some((row::last_number(key)?, row::decode(value)?));
            Ok(false)
        })?;
        Ok(found)
    }
}
