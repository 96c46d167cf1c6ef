//! Which checkpoints an authority has stamped with the time, and since when there is something new to stamp. The stamps
//! themselves stay in the journal.

use crate::ledger::{
    engine::EngineError,
    row::{self, Key, Table},
    state::{Ledger, LedgerError},
    view::View,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of stamps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// Entry and time of the last stamp.
    pub last: Option<(u64, Timestamp)>,
    /// Entry and time at which an incident moved last.
    pub moved: Option<(u64, Timestamp)>,
    /// Entry that tells that the authority fails; none once it stamped again.
    pub failing: Option<u64>,
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
    change(view, |stamps| {
        stamps.last = Some((seq, at));
        stamps.failing = None;
    })?;
    let first: Option<u64> = view.get(&Key::of(Table::Stamp).number(size))?;
    if first.is_none() {
        view.put(Key::of(Table::Stamp).number(size), &seq)?;
    }
    Ok(())
}

pub(crate) fn failing(view: &mut View<'_>, seq: u64) -> Result<(), EngineError> {
    change(view, |stamps| stamps.failing = Some(seq))
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
        let mut found = None;
        let from = Key::of(Table::Stamp).number(entries);
        self.each(&Key::of(Table::Stamp), Some(&from), |_, value| {
            found = Some(row::decode(value)?);
            Ok(false)
        })?;
        Ok(found)
    }
}
