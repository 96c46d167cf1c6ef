//! Incidents as they stand.

use crate::{
    domain::incident::{Incident, State},
    ledger::{
        engine::EngineError,
        projection,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The time within which an authority is to be notified.
const TO_NOTIFY: SignedDuration = SignedDuration::from_hours(72);

/// From when the time to notify counts. Which of the two holds is for the controller to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When the first alert about the incident was raised.
    pub first_alert_at: Option<Timestamp>,
    /// When a person acknowledged it first.
    pub confirmed_at: Option<Timestamp>,
}

impl Clock {
    /// 72 hours after a moment.
    pub fn due(from: Option<Timestamp>) -> Option<Timestamp> {
        from.and_then(|from| from.checked_add(TO_NOTIFY).ok())
    }
}

pub(crate) fn counted_from(
    view: &mut View<'_>,
    incident: &Incident,
    at: Timestamp,
    told: bool,
    by: &str,
) -> Result<(), EngineError> {
    let key = Key::of(Table::Clock).id(&incident.id);
    let before: Clock = view.get(&key)?.unwrap_or_default();
    let confirmed = incident.state == State::Acknowledged && by != "telltale";
    let clock = Clock {
        first_alert_at: before.first_alert_at.or(told.then_some(at)),
        confirmed_at: before.confirmed_at.or(confirmed.then_some(at)),
    };
    if clock == before { Ok(()) } else { view.put(key, &clock) }
}

impl Ledger {
    /// An incident by its id.
    pub fn incident(&self, id: &str) -> Result<Option<Incident>, LedgerError> {
        self.one(&Key::of(Table::Incident).id(id))
    }

    /// From when an incident's time to notify counts.
    pub fn clock(&self, id: &str) -> Result<Clock, LedgerError> {
        Ok(self.one(&Key::of(Table::Clock).id(id))?.unwrap_or_default())
    }

    /// Incidents, newest first: those opened before `cursor`, an incident's id, or the newest. The second value is the
    /// cursor of the next page, where there is one.
    pub fn incidents(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Incident>, Option<String>), LedgerError> {
        let mut found = Vec::new();
        let before = cursor.map(|cursor| Key::of(Table::Incident).id(cursor));
        let mut more = false;
        self.each_back(&Key::of(Table::Incident), before.as_ref(), |_, value| {
            more = found.len() == limit;
            if !more {
                found.push(row::decode::<Incident>(value)?);
            }
            Ok(!more)
        })?;
        let next = found.last().filter(|_| more).map(|last| last.id.clone());
        Ok((found, next))
    }

    /// Incidents that are not closed and share a store with these, newest first.
    pub fn open_incidents(&self, stores: &BTreeSet<String>) -> Result<Vec<Incident>, LedgerError> {
        let ids = self.all(&Key::of(Table::OpenIncident), |key, _| Ok(row::split_text(&key[2..])?.0))?;
        let mut found = Vec::new();
        for id in ids.iter().rev() {
            if let Some(incident) = self.incident(id)?
                && !incident.stores.is_disjoint(stores)
            {
                found.push(incident);
            }
        }
        Ok(found)
    }

    /// The sinks that an incident's alerts were for.
    pub fn told(&self, incident: &str) -> Result<BTreeSet<String>, LedgerError> {
        let prefix = Key::of(Table::Told).id(incident);
        let length = prefix.as_slice().len();
        Ok(self.all(&prefix, |key, _| Ok(row::split_text(&key[length..])?.0))?.into_iter().collect())
    }

    /// Sightings up to and including this entry have been judged.
    pub fn judged(&self) -> Result<u64, LedgerError> {
        Ok(self.one(&projection::judged_key())?.unwrap_or(0))
    }
}
