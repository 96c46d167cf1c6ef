//! The versions of what was planted: which values a canary's row had from when to when. The values themselves stay sealed in
//! the journal.

use crate::{
    domain::{
        placement::{Contents, Planting},
        record::Record,
    },
    journal::log::Journal,
    ledger::{
        engine::EngineError,
        row::{Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use canaries::{CanaryId, Marker, MarkerKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One change of a canary's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    pub version: u32,
    /// Entry and time of the intent.
    pub intended: (u64, Timestamp),
    /// Entry and time at which the store was known to hold it; none while that is open.
    pub done: Option<(u64, Timestamp)>,
}

/// A row as it stood in its store.
#[derive(Clone)]
pub struct Version {
    /// Not before, and not after.
    pub from: Timestamp,
    pub until: Option<Timestamp>,
    pub row: BTreeMap<String, String>,
}

/// A version, and the columns that it changes.
pub type Intended = (u32, BTreeMap<String, String>);

fn key(canary: CanaryId) -> Key {
    Key::of(Table::Revision).bytes(&canary.0)
}

pub(crate) fn revising(
    view: &mut View<'_>,
    seq: u64,
    at: Timestamp,
    canary: CanaryId,
    version: u32,
) -> Result<(), EngineError> {
    let mut rows: Vec<RevisionRow> = view.get(&key(canary))?.unwrap_or_default();
    rows.push(RevisionRow { version, intended: (seq, at), done: None });
    view.put(key(canary), &rows)
}

pub(crate) fn revised(
    view: &mut View<'_>,
    seq: u64,
    at: Timestamp,
    canary: CanaryId,
    version: u32,
    holds: bool,
) -> Result<(), EngineError> {
    let mut rows: Vec<RevisionRow> = view.get(&key(canary))?.unwrap_or_default();
    let Some(place) = rows.iter().rposition(|row| row.version == version && row.done.is_none()) else { return Ok(()) };
    if holds {
        rows[place].done = Some((seq, at));
    } else {
        rows.remove(place);
    }
    view.put(key(canary), &rows)
}

impl Ledger {
    /// The changes of a canary's row, oldest first.
    pub fn revisions(&self, canary: CanaryId) -> Result<Vec<RevisionRow>, LedgerError> {
        Ok(self.one(&key(canary))?.unwrap_or_default())
    }

    /// What an open intent would change; none where none is open.
    pub fn revising(&self, journal: &Journal, canary: CanaryId) -> Result<Option<Intended>, LedgerError> {
        let Some(open) = self.revisions(canary)?.into_iter().find(|row| row.done.is_none()) else { return Ok(None) };
        Ok(match self.record(journal, open.intended.0)? {
            Some(Record::Revising { version, changes, .. }) => Some((version, changes)),
            _ => None,
        })
    }

    /// Lays what was changed since over what was planted.
    pub(crate) fn revise(
        &self,
        journal: &Journal,
        canary: CanaryId,
        contents: &mut Contents,
    ) -> Result<(), LedgerError> {
        for row in self.revisions(canary)? {
            let Some((done, _)) = row.done else { continue };
            let changes = self.record(journal, row.intended.0)?;
            if let (Some(Record::Revising { changes, index, .. }), Planting::Row(row)) =
                (changes, &mut contents.planting)
            {
                // Its new telephone is its own as the old one is.
                let phones =
                    contents.markers.iter().filter(|marker| marker.kind == MarkerKind::Phone && !index.is_empty());
                let known: Vec<&String> = phones.map(|marker| &marker.value).collect();
                let is_phone = |column: &&String| row.get(*column).is_some_and(|before| known.contains(&before));
                let new: Vec<String> = changes.keys().filter(is_phone).map(|column| changes[column].clone()).collect();
                contents.markers.extend(new.into_iter().map(|value| Marker { kind: MarkerKind::Phone, value }));
                row.extend(changes);
            }
            if let Some(Record::Revised { locator: Some(locator), .. }) = self.record(journal, done)? {
                contents.locator = Some(locator);
            }
        }
        Ok(())
    }

    /// Every version of a canary's row, oldest first; none of a document, and where its key was erased. A version may have
    /// been there from the moment at which it was intended, and the one before until it was known to be.
    pub fn versions(&self, journal: &Journal, canary: CanaryId) -> Result<Vec<Version>, LedgerError> {
        let Some(placed) = self.placement(canary)? else { return Ok(Vec::new()) };
        let Some(planned) = journal.get(placed.planned)? else { return Ok(Vec::new()) };
        let Ok(Record::Planned { contents: Contents { planting: Planting::Row(mut row), .. }, .. }) = planned.record
        else {
            return Ok(Vec::new());
        };
        let mut versions = vec![Version { from: planned.at, until: None, row: row.clone() }];
        for revision in self.revisions(canary)? {
            let Some(Record::Revising { changes, .. }) = self.record(journal, revision.intended.0)? else { continue };
            row.extend(changes);
            if let Some(before) = versions.last_mut() {
                before.until = revision.done.map(|(_, at)| at);
            }
            versions.push(Version { from: revision.intended.1, until: None, row: row.clone() });
        }
        Ok(versions)
    }
}
