//! Leaked files that were taken in, and the verdicts on them, by trace.

use crate::{
    domain::{record::Record, verdict::Verdict},
    journal::log::Journal,
    ledger::{
        engine::EngineError,
        row::{Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use serde::{Deserialize, Serialize};

/// Where the journal holds a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRow {
    /// Entries of the files that were taken in.
    pub materials: Vec<u64>,
    /// Entry of the last verdict.
    pub verdict: Option<u64>,
}

fn key(trace: &str) -> Key {
    Key::of(Table::Trace).text(trace)
}

pub(crate) fn material(view: &mut View<'_>, seq: u64, trace: &str) -> Result<(), EngineError> {
    let mut row: TraceRow = view.get(&key(trace))?.unwrap_or_default();
    row.materials.push(seq);
    view.put(key(trace), &row)
}

pub(crate) fn traced(view: &mut View<'_>, seq: u64, trace: &str) -> Result<(), EngineError> {
    let mut row: TraceRow = view.get(&key(trace))?.unwrap_or_default();
    row.verdict = Some(seq);
    view.put(key(trace), &row)
}

impl Ledger {
    /// A trace by its id.
    pub fn trace(&self, trace: &str) -> Result<Option<TraceRow>, LedgerError> {
        self.one(&key(trace))
    }

    /// The last verdict of a trace; none until there is one.
    pub fn verdict(&self, journal: &Journal, trace: &str) -> Result<Option<Verdict>, LedgerError> {
        let Some(seq) = self.trace(trace)?.and_then(|row| row.verdict) else { return Ok(None) };
        Ok(match self.record(journal, seq)? {
            Some(Record::Traced { verdict, .. }) => Some(verdict),
            _ => None,
        })
    }
}
