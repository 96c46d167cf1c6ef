//! Sightings by number and canary. What was received, and from whom, stays sealed in the journal.

use crate::{
    domain::{
        record::Record,
        sighting::{Class, Sighting, Span},
    },
    journal::log::Journal,
    ledger::{
        engine::EngineError,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use canaries::CanaryId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A sighting's place in the journal, and what tells nothing of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightingRow {
    /// Its entry, which is its id.
    pub seq: u64,
    pub canary: CanaryId,
    pub class: Class,
    pub drill: bool,
}

/// What is known of all the sightings of one canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Entry of the first.
    pub first: u64,
    pub first_at: Timestamp,
    /// Entry of the last.
    pub last: u64,
    pub last_at: Timestamp,
    /// Exact.
    pub count: u64,
}

pub(crate) fn sighted(view: &mut View<'_>, sighting: &Sighting) -> Result<(), EngineError> {
    let Sighting { id: seq, canary, class, drill, at, .. } = *sighting;
    view.put(Key::of(Table::Sighting).number(seq), &SightingRow { seq, canary, class, drill })?;
    if let Some(copied) = sighting.copied {
        view.put(Key::of(Table::Dated).number(seq), &(canary, copied))?;
    }
    if let Some(row) = &sighting.row {
        view.put(Key::of(Table::LeakedRow).bytes(row).number(seq), &(sighting.received_at, drill))?;
    }
    // Who touches a canary where it stands has not brought it into circulation.
    if class.is_in_store() {
        return Ok(());
    }
    let key = Key::of(Table::Touched).bytes(&canary.0);
    let before: Option<Touched> = view.get(&key)?;
    let mut touched = before.unwrap_or(Touched { first: seq, first_at: at, last: seq, last_at: at, count: 0 });
    touched.last = seq;
    touched.last_at = at;
    touched.count += 1;
    view.put(key, &touched)
}

impl Ledger {
    /// The sightings from an entry on, oldest first, at most `limit`.
    pub fn sightings(&self, from: u64, limit: usize) -> Result<Vec<SightingRow>, LedgerError> {
        let mut found = Vec::new();
        let from = Key::of(Table::Sighting).number(from);
        self.each(&Key::of(Table::Sighting), Some(&from), |_, value| {
            if found.len() < limit {
                found.push(row::decode(value)?);
            }
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    /// The entries of an incident's sightings, oldest first.
    pub fn sightings_of(&self, incident: &str) -> Result<Vec<u64>, LedgerError> {
        self.all(&Key::of(Table::Joined).id(incident), |key, _| row::last_number(key))
    }

    /// The sightings of this incident that tell when their row was copied, by canary.
    pub fn dated(&self, incident: &str) -> Result<Vec<(u64, CanaryId, Span)>, LedgerError> {
        let all: Vec<(u64, (CanaryId, Span))> =
            self.all(&Key::of(Table::Dated), |key, value| Ok((row::last_number(key)?, row::decode(value)?)))?;
        let mut found = Vec::new();
        for (seq, (canary, span)) in all {
            if self.one::<()>(&Key::of(Table::Joined).id(incident).number(seq))?.is_some() {
                found.push((seq, canary, span));
            }
        }
        Ok(found)
    }

    /// The sightings in which a row of just these values was seen: entry, time, and whether it was a rehearsal.
    pub fn leaked_row(&self, row: &[u8; 16]) -> Result<Vec<(u64, Timestamp, bool)>, LedgerError> {
        self.all(&Key::of(Table::LeakedRow).bytes(row), |key, value| {
            let (at, drill) = row::decode(value)?;
            Ok((row::last_number(key)?, at, drill))
        })
    }

    /// The incidents that these sightings have joined.
    pub fn incidents_of(&self, sightings: &BTreeSet<u64>) -> Result<BTreeMap<u64, String>, LedgerError> {
        let mut found = BTreeMap::new();
        self.each(&Key::of(Table::Joined), None, |key, _| {
            let seq = row::last_number(key)?;
            if sightings.contains(&seq) {
                found.insert(seq, row::split_text(&key[2..])?.0);
            }
            Ok(found.len() < sightings.len())
        })?;
        Ok(found)
    }

    /// A sighting as it was journaled; none where there is none of this number, or its key was erased.
    pub fn sighting(&self, journal: &Journal, seq: u64) -> Result<Option<Sighting>, LedgerError> {
        Ok(match self.record(journal, seq)? {
            Some(Record::Sighted { sighting, .. }) => Some(sighting),
            _ => None,
        })
    }

    /// A sighting with what was received.
    pub fn evidence(&self, journal: &Journal, seq: u64) -> Result<Option<(Sighting, Vec<u8>)>, LedgerError> {
        Ok(match self.record(journal, seq)? {
            Some(Record::Sighted { sighting, evidence }) => {
                Some((sighting, STANDARD.decode(evidence).unwrap_or_default()))
            }
            _ => None,
        })
    }

    /// The sightings that no incident has taken in yet, oldest first, at most `limit`.
    pub fn unjudged(&self, journal: &Journal, limit: usize) -> Result<Vec<Sighting>, LedgerError> {
        let mut found = Vec::new();
        for row in self.sightings(self.judged()? + 1, limit)? {
            found.extend(self.sighting(journal, row.seq)?);
        }
        Ok(found)
    }

    /// An incident's sightings as they were journaled, oldest first; those whose key was erased are left out.
    pub fn sightings_in(&self, journal: &Journal, incident: &str) -> Result<Vec<Sighting>, LedgerError> {
        let mut found = Vec::new();
        for seq in self.sightings_of(incident)? {
            found.extend(self.sighting(journal, seq)?);
        }
        Ok(found)
    }

    /// First, last and number of a canary's sightings.
    pub fn touched(&self, canary: CanaryId) -> Result<Option<Touched>, LedgerError> {
        self.one(&Key::of(Table::Touched).bytes(&canary.0))
    }

    /// Touches that were no canary's, per sensor, as far as they are folded.
    pub fn strangers(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        self.all(&Key::of(Table::Strangers), |key, value| Ok((row::split_text(&key[1..])?.0, row::decode(value)?)))
    }

    /// How far a polling sensor has read.
    pub fn position(&self, journal: &Journal, sensor: &str) -> Result<Option<serde_json::Value>, LedgerError> {
        let Some(seq) = self.one(&Key::of(Table::Position).text(sensor))? else { return Ok(None) };
        Ok(match self.record(journal, seq)? {
            Some(Record::Positioned { position, .. }) => Some(position),
            _ => None,
        })
    }
}
