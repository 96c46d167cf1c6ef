//! Placements, presences and generations. What is planted, and where in the store, stays sealed in the journal.

use crate::{
    domain::{
        placement::{Contents, Placement, Presence, State},
        record::{Alteration, IndexEntry, Record},
    },
    journal::log::Journal,
    ledger::{
        coded,
        engine::EngineError,
        known,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A placement, and where the journal holds its secret part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementRow {
    pub placement: Placement,
    /// Entry that planned it: its contents.
    pub planned: u64,
    /// Entry that says it was planted: its locator.
    pub planted: Option<u64>,
    /// What it was before it was planned anew: where that comes to nothing, it is that again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Box<PlacementRow>>,
}

/// The last audit of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Its entry.
    pub seq: u64,
    pub at: Timestamp,
    /// Canaries found, own and copied.
    pub present: u64,
    pub missing: u64,
    pub altered: u64,
    pub copied: u64,
    /// Rows or documents in all, where they were counted.
    pub rows: Option<u64>,
}

/// Somebody looked at which records are canaries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reveal {
    pub seq: u64,
    pub at: Timestamp,
    pub by: String,
    pub detail: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Span {
    from: Timestamp,
    until: Option<Timestamp>,
}

fn placement_key(canary: CanaryId) -> Key {
    Key::of(Table::Placement).bytes(&canary.0)
}

fn presence_key(store: &str, canary: CanaryId) -> Key {
    Key::of(Table::Presence).text(store).bytes(&canary.0)
}

pub(crate) fn last_id(key: &[u8]) -> Result<CanaryId, EngineError> {
    key.last_chunk::<10>().copied().map(CanaryId).ok_or(EngineError::Damaged)
}

pub(crate) fn planned(
    view: &mut View<'_>,
    seq: u64,
    placement: &Placement,
    index: &[IndexEntry],
) -> Result<(), EngineError> {
    let canary = placement.canary;
    view.put(Key::of(Table::StorePlacement).text(&placement.store).bytes(&canary.0), &())?;
    let former = match view.get::<PlacementRow>(&placement_key(canary))? {
        Some(row) if row.planted.is_some() => Some(Box::new(PlacementRow { former: None, ..row })),
        Some(row) => row.former,
        None => None,
    };
    view.put(
        placement_key(canary),
        &PlacementRow { placement: placement.clone(), planned: seq, planted: None, former },
    )?;
    known::indexed(view, canary, index)?;
    coded::borne(view, placement)
}

pub(crate) fn planted(view: &mut View<'_>, seq: u64, at: Timestamp, canary: CanaryId) -> Result<(), EngineError> {
    let Some(mut row) = view.get::<PlacementRow>(&placement_key(canary))? else { return Ok(()) };
    row.planted = Some(seq);
    row.former = None;
    row.placement.state = State::Planted;
    row.placement.since = at;
    appears(view, &row.placement.store, row.placement.seen_as(), at)?;
    view.put(placement_key(canary), &row)
}

pub(crate) fn abandoned(view: &mut View<'_>, canaries: &[CanaryId]) -> Result<(), EngineError> {
    for canary in canaries {
        let row: Option<PlacementRow> = view.get(&placement_key(*canary))?;
        if let Some(row) = row.filter(|row| row.placement.state == State::Planned) {
            if let Some(former) = row.former {
                view.put(placement_key(*canary), &former)?;
                continue;
            }
            view.remove(placement_key(*canary));
            view.remove(Key::of(Table::StorePlacement).text(&row.placement.store).bytes(&canary.0));
            view.remove(Key::of(Table::Index).bytes(&canary.0));
            coded::dropped(view, &row.placement);
        }
    }
    Ok(())
}

pub(crate) fn verified(
    view: &mut View<'_>,
    seq: u64,
    at: Timestamp,
    store: &str,
    present: &[CanaryId],
    missing: &[CanaryId],
    altered: &[Alteration],
    copied: &[CanaryId],
    rows: Option<u64>,
) -> Result<(), EngineError> {
    let altered: BTreeSet<CanaryId> = altered.iter().map(|alteration| alteration.canary).collect();
    let here: BTreeSet<CanaryId> = present.iter().chain(&altered).chain(copied).copied().collect();
    let mut seen = BTreeSet::new();
    for canary in &here {
        seen.insert(seen_as(view, *canary)?);
    }
    // What another store alone had of a person is named as that store's.
    seen.extend(copied);
    let spans = view.scan::<Vec<Span>>(&Key::of(Table::Presence).text(store))?;
    for (key, spans) in &spans {
        let canary = last_id(key)?;
        if !seen.contains(&canary) && spans.last().is_some_and(|span| span.until.is_none()) {
            vanishes(view, store, canary, at)?;
        }
    }
    for canary in seen {
        appears(view, store, canary, at)?;
    }
    for canary in &here {
        let state = if altered.contains(canary) { State::Altered } else { State::Planted };
        stands(view, store, *canary, state, at)?;
    }
    for canary in missing.iter().filter(|canary| !here.contains(canary)) {
        stands(view, store, *canary, State::Missing, at)?;
    }
    let audit = Audit {
        seq,
        at,
        present: here.len() as u64,
        missing: missing.len() as u64,
        altered: altered.len() as u64,
        copied: copied.len() as u64,
        rows,
    };
    view.put(Key::of(Table::Audited).text(store).number(seq), &at)?;
    view.put(Key::of(Table::Verified).text(store), &audit)
}

pub(crate) fn withdrawn(
    view: &mut View<'_>,
    at: Timestamp,
    store: &str,
    canaries: &[CanaryId],
) -> Result<(), EngineError> {
    for canary in canaries {
        vanishes(view, store, seen_as(view, *canary)?, at)?;
        if let Some(mut row) = view.get::<PlacementRow>(&placement_key(*canary))?
            && row.placement.store == store
        {
            row.placement.state = State::Withdrawn;
            row.placement.since = at;
            view.put(placement_key(*canary), &row)?;
        }
    }
    Ok(())
}

/// What an audit says of a placement. One that is only planned waits for its own entry; a withdrawn one stays withdrawn.
fn stands(view: &mut View<'_>, store: &str, canary: CanaryId, state: State, at: Timestamp) -> Result<(), EngineError> {
    let Some(mut row) = view.get::<PlacementRow>(&placement_key(canary))? else { return Ok(()) };
    let audited = matches!(row.placement.state, State::Planted | State::Altered | State::Missing);
    if row.placement.store == store && audited && row.placement.state != state {
        row.placement.state = state;
        row.placement.since = at;
        view.put(placement_key(canary), &row)?;
    }
    Ok(())
}

/// As what a canary is seen; a persona is seen as itself.
fn seen_as(view: &View<'_>, canary: CanaryId) -> Result<CanaryId, EngineError> {
    let row: Option<PlacementRow> = view.get(&placement_key(canary))?;
    Ok(row.map_or(canary, |row| row.placement.seen_as()))
}

fn appears(view: &mut View<'_>, store: &str, canary: CanaryId, at: Timestamp) -> Result<(), EngineError> {
    let mut spans: Vec<Span> = view.get(&presence_key(store, canary))?.unwrap_or_default();
    if spans.last().is_none_or(|span| span.until.is_some()) {
        spans.push(Span { from: at, until: None });
        view.put(presence_key(store, canary), &spans)?;
    }
    Ok(())
}

fn vanishes(view: &mut View<'_>, store: &str, canary: CanaryId, at: Timestamp) -> Result<(), EngineError> {
    let mut spans: Vec<Span> = view.get(&presence_key(store, canary))?.unwrap_or_default();
    if let Some(span) = spans.last_mut().filter(|span| span.until.is_none()) {
        span.until = Some(at);
        view.put(presence_key(store, canary), &spans)?;
    }
    Ok(())
}

impl Ledger {
    /// A canary's placement.
    pub fn placement(&self, canary: CanaryId) -> Result<Option<PlacementRow>, LedgerError> {
        self.one(&placement_key(canary))
    }

    /// All placements, or those of one store, by canary.
    pub fn placements(&self, store: Option<&str>) -> Result<Vec<PlacementRow>, LedgerError> {
        let Some(store) = store else {
            return self.all(&Key::of(Table::Placement), |_, value| row::decode(value));
        };
        let ids = self.all(&Key::of(Table::StorePlacement).text(store), |key, _| last_id(key))?;
        ids.into_iter().filter_map(|canary| self.placement(canary).transpose()).collect()
    }

    /// The generation that a store's new canaries belong to: 1 until another was opened.
    pub fn generation(&self, store: &str) -> Result<u32, LedgerError> {
        Ok(self.one(&Key::of(Table::Generation).text(store))?.unwrap_or(1))
    }

    /// What was planted, unsealed from the journal, with the locator once there is one. None: there is no such
    /// placement, or its key was erased. Of a coded persona: what stands in one of its stores, with the markers of all.
    pub fn contents(&self, journal: &Journal, canary: CanaryId) -> Result<Option<Contents>, LedgerError> {
        let Some(row) = self.placement(canary)? else { return self.contents_of_persona(journal, canary) };
        let Some(Record::Planned { mut contents, .. }) = self.record(journal, row.planned)? else { return Ok(None) };
        if let Some(planted) = row.planted
            && let Some(Record::Planted { locator, .. }) = self.record(journal, planted)?
        {
            contents.locator = Some(locator);
        }
        self.revise(journal, canary, &mut contents)?;
        Ok(Some(contents))
    }

    /// Every time that a canary was in a store, as audited: from the planting or the first audit that saw it, to the
    /// withdrawal or the first audit that did not.
    pub fn presences(&self) -> Result<Vec<Presence>, LedgerError> {
        let mut found = Vec::new();
        self.each(&Key::of(Table::Presence), None, |key, value| {
            let (store, rest) = row::split_text(&key[1..])?;
            let canary = last_id(rest)?;
            let spans: Vec<Span> = row::decode(value)?;
            found.extend(spans.into_iter().map(|Span { from, until }| Presence {
                canary,
                store: store.clone(),
                from,
                until,
            }));
            Ok(true)
        })?;
        Ok(found)
    }

    /// When a canary was in each of these stores, as audited.
    pub fn presences_of(&self, canary: CanaryId, stores: &[&str]) -> Result<Vec<Presence>, LedgerError> {
        let mut found = Vec::new();
        for store in stores {
            let spans: Vec<Span> = self.one(&presence_key(store, canary))?.unwrap_or_default();
            found.extend(spans.into_iter().map(|Span { from, until }| Presence {
                canary,
                store: (*store).to_owned(),
                from,
                until,
            }));
        }
        Ok(found)
    }

    /// The kinds of marker that each canary bears.
    pub fn marker_kinds(&self) -> Result<BTreeMap<CanaryId, BTreeSet<MarkerKind>>, LedgerError> {
        let mut found: BTreeMap<CanaryId, BTreeSet<MarkerKind>> = BTreeMap::new();
        self.index_entries(|canary, entry| {
            found.entry(canary).or_default().insert(entry.kind);
        })?;
        Ok(found)
    }

    /// The last audit of a store.
    pub fn audit(&self, store: &str) -> Result<Option<Audit>, LedgerError> {
        self.one(&Key::of(Table::Verified).text(store))
    }

    /// When each store was audited, oldest first: a canary that an audit did not see was not there then.
    pub fn audits(&self) -> Result<BTreeMap<String, Vec<Timestamp>>, LedgerError> {
        let mut found: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
        self.each(&Key::of(Table::Audited), None, |key, value| {
            let (store, _) = row::split_text(&key[1..])?;
            found.entry(store).or_default().push(row::decode(value)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// Who looked at which records are canaries, oldest first.
    pub fn reveals(&self, journal: &Journal) -> Result<Vec<Reveal>, LedgerError> {
        let seqs = self.all(&Key::of(Table::Reveal), |key, _| row::last_number(key))?;
        let mut found = Vec::with_capacity(seqs.len());
        for seq in seqs {
            if let Some(entry) = journal.get(seq)?
                && let Ok(Record::Acted { by, detail, .. }) = entry.record
            {
                found.push(Reveal { seq, at: entry.at, by, detail });
            }
        }
        Ok(found)
    }
}
