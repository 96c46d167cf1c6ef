//! How far an incident's alerts have come, sink by sink: from the outbox and what came of each attempt.

use crate::{
    domain::{
        alert::AlertType,
        record::{AttemptOutcome, Record},
    },
    journal::log::Journal,
    ledger::{
        outbox::{DeadLetter, Due},
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not tried yet, or tried and to be tried again.
    Pending,
    Delivered,
    /// Given up.
    Failed,
}

/// One alert at one sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub alert: String,
    #[serde(rename = "type")]
    pub alert_type: AlertType,
    pub sink: String,
    pub state: Standing,
    /// Attempts made.
    pub attempts: u32,
    /// The last attempt.
    pub at: Option<Timestamp>,
    /// The next one.
    pub next: Option<Timestamp>,
    /// What the receiver answered last.
    pub status: Option<u16>,
}

impl Ledger {
    /// The deliveries of an incident's alerts, oldest first.
    pub fn deliveries_of(&self, journal: &Journal, incident: &str) -> Result<Vec<Delivery>, LedgerError> {
        // An incident bears the number of the entry that opened it, and no alert of it is older.
        let opened = incident.strip_prefix("i-").unwrap_or_default();
        let from = Key::of(Table::Alert).id(&format!("a-{opened}"));
        let mut entries: Vec<u64> = Vec::new();
        self.each(&Key::of(Table::Alert), Some(&from), |_, value| {
            entries.push(row::decode(value)?);
            Ok(true)
        })?;
        let mut found = Vec::new();
        for seq in entries {
            if let Some(Record::IncidentMoved { incident: moved, alert: Some(alert), .. }) =
                self.record(journal, seq)?
                && moved.id == incident
            {
                found.extend(self.deliveries(&alert.id, alert.alert_type)?);
            }
        }
        Ok(found)
    }

    fn deliveries(&self, alert: &str, alert_type: AlertType) -> Result<Vec<Delivery>, LedgerError> {
        let new = |sink: &str| Delivery {
            alert: alert.to_owned(),
            alert_type,
            sink: sink.to_owned(),
            state: Standing::Pending,
            attempts: 0,
            at: None,
            next: None,
            status: None,
        };
        let mut sinks: BTreeMap<String, Delivery> = BTreeMap::new();
        for made in self.attempts(alert)? {
            let delivery = sinks.entry(made.sink.clone()).or_insert_with(|| new(&made.sink));
            delivery.attempts = delivery.attempts.max(made.attempt);
            delivery.at = Some(made.at);
            delivery.status = made.status;
            delivery.state = match made.outcome {
                AttemptOutcome::Delivered => Standing::Delivered,
                AttemptOutcome::Retry { .. } => Standing::Pending,
                AttemptOutcome::Dead => Standing::Failed,
            };
        }
        // What is due again after it was given up counts as pending.
        for dead in self.all(&Key::of(Table::Dead).id(alert), |_, value| row::decode::<DeadLetter>(value))? {
            sinks.entry(dead.sink.clone()).or_insert_with(|| new(&dead.sink)).state = Standing::Failed;
        }
        for due in self.all(&Key::of(Table::Delivery).id(alert), |_, value| row::decode::<Due>(value))? {
            let delivery = sinks.entry(due.sink.clone()).or_insert_with(|| new(&due.sink));
            delivery.state = Standing::Pending;
            delivery.next = Some(due.next);
        }
        Ok(sinks.into_values().collect())
    }
}
