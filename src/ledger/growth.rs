//! How far each open incident's alerts lag behind it: what was told last, and which incidents have grown since. An
//! incident that is closed, or that was told as it stands, has no row among those.

use crate::{
    domain::{
        alert::Alert,
        incident::{Incident, State},
    },
    ledger::{
        engine::EngineError,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When an incident was told last, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    pub at: Timestamp,
    /// Sightings that it had then.
    pub sightings: u64,
    /// Summaries since there was news.
    pub step: u32,
}

pub(crate) fn moved(
    view: &mut View<'_>,
    at: Timestamp,
    incident: &Incident,
    alert: Option<&Alert>,
) -> Result<(), EngineError> {
    let (pace, grown) = (Key::of(Table::Pace).id(&incident.id), Key::of(Table::Grown).id(&incident.id));
    if incident.state == State::Closed {
        view.remove(pace);
        view.remove(grown);
        return Ok(());
    }
    if let Some(alert) = alert {
        let step = alert.growth.as_ref().map_or(0, |growth| growth.step);
        view.remove(grown);
        return view.put(pace, &Pace { at, sightings: incident.sightings, step });
    }
    let before: Option<Pace> = view.get(&pace)?;
    if before.is_some_and(|before| incident.sightings > before.sightings) { view.put(grown, &()) } else { Ok(()) }
}

impl Ledger {
    /// Open incidents that have grown since they were told last, oldest first, and how that stood.
    pub fn grown(&self) -> Result<Vec<(String, Pace)>, LedgerError> {
        let ids = self.all(&Key::of(Table::Grown), |key, _| Ok(row::split_text(&key[2..])?.0))?;
        let mut found = Vec::new();
        for id in ids {
            if let Some(pace) = self.one(&Key::of(Table::Pace).id(&id))? {
                found.push((id, pace));
            }
        }
        Ok(found)
    }

    /// The entries of an incident's first sighting, and of its last ones, oldest first, at most so many.
    pub fn ends(&self, incident: &str, most: usize) -> Result<(Option<u64>, Vec<u64>), LedgerError> {
        let prefix = Key::of(Table::Joined).id(incident);
        let (mut first, mut last) = (None, Vec::new());
        self.each(&prefix, None, |key, _| {
            first = Some(row::last_number(key)?);
            Ok(false)
        })?;
        self.each_back(&prefix, None, |key, _| {
            last.push(row::last_number(key)?);
            Ok(last.len() < most)
        })?;
        last.reverse();
        Ok((first, last))
    }
}
