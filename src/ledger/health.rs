//! How each sink fares: since when nothing arrived there, and whether the others were told.

use crate::{
    domain::record::AttemptOutcome,
    ledger::{
        engine::EngineError,
        row::{Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One sink's health, as its attempts tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// When it last took an alert.
    pub delivered_at: Option<Timestamp>,
    /// The first attempt that failed after that.
    pub failing_since: Option<Timestamp>,
    /// Whether an alert that was tried again failed again since.
    #[serde(default)]
    pub again: bool,
    /// Whether it refused an alert for good meanwhile.
    pub gave_up: bool,
    /// Entry of the last failure, which holds the reason.
    pub failure: Option<u64>,
    /// Whether the other sinks were told of this failing.
    pub told: bool,
}

impl Health {
    /// Since when it cannot do its work, if that is so by now: nothing arrived for so long, or it refuses for good.
    pub fn out_since(&self, now: Timestamp, after: Duration) -> Option<Timestamp> {
        self.failing_since.filter(|since| {
            self.gave_up || now.duration_since(*since).try_into().is_ok_and(|failing: Duration| failing >= after)
        })
    }
}

fn key(sink: &str) -> Key {
    Key::of(Table::Health).text(sink)
}

pub(crate) fn attempted(
    view: &mut View<'_>,
    seq: u64,
    at: Timestamp,
    sink: &str,
    attempt: u32,
    outcome: &AttemptOutcome,
) -> Result<(), EngineError> {
    let before: Health = view.get(&key(sink))?.unwrap_or_default();
    let after = match outcome {
        AttemptOutcome::Delivered => Health { delivered_at: Some(at), ..Health::default() },
        // A test that failed was told to whoever asked for it.
        _ if attempt == 0 => return Ok(()),
        AttemptOutcome::Retry { .. } | AttemptOutcome::Dead => Health {
            failing_since: before.failing_since.or(Some(at)),
            again: before.again || attempt > 1,
            gave_up: before.gave_up || *outcome == AttemptOutcome::Dead,
            failure: Some(seq),
            ..before
        },
    };
    view.put(key(sink), &after)
}

pub(crate) fn told(view: &mut View<'_>, sink: &str) -> Result<(), EngineError> {
    let before: Health = view.get(&key(sink))?.unwrap_or_default();
    view.put(key(sink), &Health { told: true, ..before })
}

impl Ledger {
    /// How a sink fares; one that was never tried fares well.
    pub fn health(&self, sink: &str) -> Result<Health, LedgerError> {
        Ok(self.one(&key(sink))?.unwrap_or_default())
    }
}
