//! The outbox: which alert is due at which sink, and when; and what came of each attempt. Alerts themselves, and what
//! receivers answered, are read from the journal.

use crate::{
    domain::{
        alert::Alert,
        record::{AttemptOutcome, Record},
    },
    journal::{frame, log::Journal},
    ledger::{
        engine::EngineError,
        projection,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An alert that is due at a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// `a-` and the number of its entry.
    pub alert: String,
    pub sink: String,
    /// Number of the attempt that is due, from 1.
    pub attempt: u32,
    /// When it is due.
    pub next: Timestamp,
    /// The sink that it was handed over to meanwhile; this one goes on trying.
    pub handed_to: Option<String>,
}

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its entry, which holds the receiver's answer.
    pub seq: u64,
    pub at: Timestamp,
    pub sink: String,
    pub attempt: u32,
    pub outcome: AttemptOutcome,
    pub status: Option<u16>,
}

/// An alert that a sink was given up for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub alert: String,
    pub sink: String,
    /// Attempts made.
    pub attempt: u32,
    pub at: Timestamp,
    /// Entry of the last attempt.
    pub seq: u64,
}

/// What a sink owes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    pub waiting: u64,
    /// The oldest alert of those.
    pub oldest: Option<String>,
    /// Alerts that it was given up for.
    pub dead: u64,
}

fn due_key(due: &Due) -> Key {
    let number = u64::try_from(frame::nanoseconds(due.next)).unwrap_or(0);
    Key::of(Table::Due).text(&due.sink).number(number).id(&due.alert)
}

fn pair(table: Table, alert: &str, sink: &str) -> Key {
    Key::of(table).id(alert).text(sink)
}

fn unschedule(view: &mut View<'_>, alert: &str, sink: &str) -> Result<Option<Due>, EngineError> {
    let due = view.get::<Due>(&pair(Table::Delivery, alert, sink))?;
    if let Some(due) = &due {
        view.remove(due_key(due));
        view.remove(pair(Table::Delivery, alert, sink));
    }
    Ok(due)
}

pub(crate) fn schedule(
    view: &mut View<'_>,
    alert: &str,
    sink: &str,
    attempt: u32,
    next: Timestamp,
    handed_to: Option<String>,
) -> Result<(), EngineError> {
    let due = Due { alert: alert.to_owned(), sink: sink.to_owned(), attempt, next, handed_to };
    view.put(due_key(&due), &due)?;
    view.put(pair(Table::Delivery, alert, sink), &due)
}

pub(crate) fn attempted(
    view: &mut View<'_>,
    seq: u64,
    at: Timestamp,
    alert: &str,
    sink: &str,
    attempt: u32,
    outcome: &AttemptOutcome,
    status: Option<u16>,
) -> Result<(), EngineError> {
    let before = unschedule(view, alert, sink)?;
    view.remove(pair(Table::Dead, alert, sink));
    match outcome {
        AttemptOutcome::Delivered => {}
        AttemptOutcome::Retry { after } => {
            let next = at.checked_add(*after).unwrap_or(Timestamp::MAX);
            let handed_to = before.and_then(|due| due.handed_to);
            schedule(view, alert, sink, attempt.saturating_add(1), next, handed_to)?;
        }
        AttemptOutcome::Dead => {
            let letter = DeadLetter { alert: alert.to_owned(), sink: sink.to_owned(), attempt, at, seq };
            view.put(pair(Table::Dead, alert, sink), &letter)?;
        }
    }
    let made = Attempt { seq, at, sink: sink.to_owned(), attempt, outcome: outcome.clone(), status };
    view.put(Key::of(Table::Attempt).id(alert).number(seq), &made)
}

/// The alert is due at the other sink, unless that one waits for it already, or has it.
pub(crate) fn handed_over(
    view: &mut View<'_>,
    at: Timestamp,
    alert: &str,
    from: &str,
    to: &str,
) -> Result<(), EngineError> {
    if let Some(due) = unschedule(view, alert, from)? {
        schedule(view, alert, from, due.attempt, due.next, Some(to.to_owned()))?;
    }
    let attempts = view.scan::<Attempt>(&Key::of(Table::Attempt).id(alert))?;
    let has = attempts.values().any(|made| made.sink == to && made.outcome == AttemptOutcome::Delivered);
    if has || view.get::<Due>(&pair(Table::Delivery, alert, to))?.is_some() {
        return Ok(());
    }
    schedule(view, alert, to, 1, at, None)
}

/// The alert is due at the sink once more, from the first attempt on.
pub(crate) fn replayed(view: &mut View<'_>, at: Timestamp, alert: &str, sink: &str) -> Result<(), EngineError> {
    unschedule(view, alert, sink)?;
    view.remove(pair(Table::Dead, alert, sink));
    schedule(view, alert, sink, 1, at, None)
}

impl Ledger {
    /// What is due at a sink by now, the longest due first, at most so many.
    pub fn due(&self, sink: &str, now: Timestamp, most: usize) -> Result<Vec<Due>, LedgerError> {
        self.due_after(sink, now, None, most)
    }

    /// The same, of those that come after this one.
    pub fn due_after(
        &self,
        sink: &str,
        now: Timestamp,
        after: Option<&Due>,
        most: usize,
    ) -> Result<Vec<Due>, LedgerError> {
        let mut found = Vec::new();
        let from = after.map(due_key);
        self.each(&Key::of(Table::Due).text(sink), from.as_ref(), |key, value| {
            if from.as_ref().is_some_and(|from| from.as_slice() == key) {
                return Ok(true);
            }
            let due: Due = row::decode(value)?;
            let go_on = due.next <= now && found.len() < most;
            if go_on {
                found.push(due);
            }
            Ok(go_on)
        })?;
        Ok(found)
    }

    /// What waits for a sink and was handed over to nobody yet, whether it is due by now or not; at most so many.
    pub fn waiting(&self, sink: &str, most: usize) -> Result<Vec<Due>, LedgerError> {
        let mut found = Vec::new();
        self.each(&Key::of(Table::Due).text(sink), None, |_, value| {
            let due: Due = row::decode(value)?;
            if due.handed_to.is_none() {
                found.push(due);
            }
            Ok(found.len() < most)
        })?;
        Ok(found)
    }

    /// An alert by its id.
    pub fn alert(&self, journal: &Journal, id: &str) -> Result<Option<Alert>, LedgerError> {
        let Some(seq) = self.one(&Key::of(Table::Alert).id(id))? else { return Ok(None) };
        Ok(match self.record(journal, seq)? {
            Some(Record::IncidentMoved { alert, .. }) => alert,
            Some(Record::AlertRaised { alert, .. }) => Some(alert),
            _ => None,
        })
    }

    /// What the receiver answered to an attempt, or why there was no answer; redacted.
    pub fn response(&self, journal: &Journal, seq: u64) -> Result<Option<String>, LedgerError> {
        Ok(match self.record(journal, seq)? {
            Some(Record::Attempted { response, .. }) => Some(response),
            _ => None,
        })
    }

    /// The attempts to deliver an alert, oldest first.
    pub fn attempts(&self, alert: &str) -> Result<Vec<Attempt>, LedgerError> {
        self.all(&Key::of(Table::Attempt).id(alert), |_, value| row::decode(value))
    }

    /// Every alert, the newest first, from before this one on; until told to end.
    pub fn each_alert(&self, before: Option<&str>, mut visit: impl FnMut(&str) -> bool) -> Result<(), LedgerError> {
        let before = before.map(|id| Key::of(Table::Alert).id(id));
        self.each_back(&Key::of(Table::Alert), before.as_ref(), |key, _| Ok(visit(&row::split_text(&key[2..])?.0)))
    }

    /// The sinks at which an alert waits.
    pub fn due_of(&self, alert: &str) -> Result<Vec<Due>, LedgerError> {
        self.all(&Key::of(Table::Delivery).id(alert), |_, value| row::decode(value))
    }

    /// The sinks that were given up for an alert.
    pub fn dead_of(&self, alert: &str) -> Result<Vec<DeadLetter>, LedgerError> {
        self.all(&Key::of(Table::Dead).id(alert), |_, value| row::decode(value))
    }

    /// Whatever waits, at any sink, after an attempt that failed.
    pub fn troubled(&self) -> Result<Vec<Due>, LedgerError> {
        let mut found = Vec::new();
        self.each(&Key::of(Table::Delivery), None, |_, value| {
            let due: Due = row::decode(value)?;
            if due.attempt > 1 {
                found.push(due);
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// What each sink owes, of those that owe anything.
    pub fn queues(&self) -> Result<BTreeMap<String, Queue>, LedgerError> {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        // By the alert's number, which is the order of time.
        self.each(&Key::of(Table::Delivery), None, |_, value| {
            let Due { alert, sink, .. } = row::decode(value)?;
            let queue = queues.entry(sink).or_default();
            queue.waiting += 1;
            queue.oldest.get_or_insert(alert);
            Ok(true)
        })?;
        self.each(&Key::of(Table::Dead), None, |_, value| {
            let DeadLetter { sink, .. } = row::decode(value)?;
            queues.entry(sink).or_default().dead += 1;
            Ok(true)
        })?;
        Ok(queues)
    }

    /// When the last daily test alert was raised.
    pub fn heartbeat(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.one(&projection::heartbeat_key())
    }

    /// What was given up.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, LedgerError> {
        self.all(&Key::of(Table::Dead), |_, value| row::decode(value))
    }
}
