//! The attribute clock: salaries, titles, superiors and telephones of planted rows change now and then, as anybody's do, so that a
//! copied row tells by its version when it was copied. By what a row is known again never changes.

use crate::{
    domain::{
        placement::{Planting, State},
        record::Record,
    },
    flow::{
        clocked::Clocked,
        context::{Context, StoreSlot, blocking},
        each::Each,
        error::FlowError,
        mapping::Mapping,
        plant,
        progress::Progress,
        recover,
    },
    ledger::placements::PlacementRow,
    stores::store::{Placed, Revision, StoreError, Stored, Takes},
};
use canaries::{CanaryId, index::Owner};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How often a canary's values change where nothing is configured: as often as people's do.
pub const USUAL: Duration = Duration::from_secs(365 * 24 * 3600);

/// What was changed in one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revised {
    pub store: String,
    /// Canaries of which something was changed now.
    pub revised: u64,
    /// Canaries that are not there as they were planted, and were left as they are.
    pub left: u64,
    /// Why nothing can be changed there; absent where something can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Changes what is due in each chosen store, each canary about once in `period`.
pub async fn revise(
    context: &Context,
    names: &[String],
    period: Duration,
    progress: &Progress,
) -> Result<Each<Revised>, FlowError> {
    let _works = context.works.lock().await;
    let mut each = Each::default();
    for slot in context.chosen(names)? {
        each.note(slot, revise_store(context, slot, period, progress).await);
    }
    each.answer()
}

/// A canary whose values change now.
struct Change {
    version: u32,
    revision: Revision,
}

/// The caller holds `context.works`.
pub async fn revise_store(
    context: &Context,
    slot: &StoreSlot,
    period: Duration,
    progress: &Progress,
) -> Result<Revised, FlowError> {
    let nothing = |note: &str| Revised { store: slot.name.clone(), revised: 0, left: 0, note: Some(note.to_owned()) };
    if slot.store.takes() == Takes::Documents {
        return Ok(nothing("it holds documents"));
    }
    context.settle()?;
    progress.at(format!("looking at {}", slot.name), 0, None);
    let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let mapping = plant::mapping_of(slot, &profile)?;
    recover::recover(context, slot, &mapping).await?;
    let clocked = Clocked::of(context, slot, &mapping, &profile);
    if clocked.is_none() {
        return Ok(nothing(
            "no column of it is mapped to a salary, to titles that many rows share, to superiors by name, or to mobile telephones",
        ));
    }
    let mut changes = blocking(|| due(context, slot, &mapping, &clocked, period))?;
    as_shown(slot, &mut changes).await?;
    if changes.is_empty() {
        return Ok(Revised { store: slot.name.clone(), revised: 0, left: 0, note: None });
    }
    let intents: Vec<Record> = changes
        .iter()
        .map(|change| Record::Revising {
            canary: change.revision.placed.canary,
            version: change.version,
            changes: change.revision.changes.clone(),
            index: clocked.index(context, &change.revision.changes),
        })
        .collect();
    context.append(&intents).await?;
    context.settle()?;
    for intent in &intents {
        let Record::Revising { canary, index: new, .. } = intent else { continue };
        let mut index = context.index.write().expect("no thread panics while it holds the index");
        for entry in new {
            index.insert(entry.fingerprint, Owner::Canary(*canary), entry.kind, entry.digest);
        }
    }
    progress.at(format!("changing {}", slot.name), 0, Some(changes.len() as u64));
    let revisions: Vec<Revision> = changes.iter().map(|change| change.revision.clone()).collect();
    // After an error nobody knows what stands there: the intents stay open, and the next look settles them.
    let locators = slot.store.revise(&revisions).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let left = locators.iter().filter(|locator| locator.is_none()).count() as u64;
    let records: Vec<Record> = changes
        .iter()
        .zip(locators)
        .map(|(change, locator)| Record::Revised {
            canary: change.revision.placed.canary,
            version: change.version,
            locator,
        })
        .collect();
    context.append(&records).await.map_err(|error| plant::unrecorded(slot, "verify", error))?;
    context.settle()?;
    Ok(Revised { store: slot.name.clone(), revised: records.len() as u64 - left, left, note: None })
}

/// Whether the time has come for any canary of this store, or one is not settled. Asks the ledger alone.
pub fn is_due(context: &Context, slot: &StoreSlot, period: Duration) -> Result<bool, FlowError> {
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        let open =
            || Ok::<_, FlowError>(context.ledger.revisions(placement.canary)?.iter().any(|row| row.done.is_none()));
        let own = placement.persona.is_none();
        if own
            && placement.state == State::Planted
            && (ripe(context, slot, placement.canary, period)?.is_some() || open()?)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The version whose time has come; none of a canary with an intent that is not settled, which goes first.
fn ripe(context: &Context, slot: &StoreSlot, canary: CanaryId, period: Duration) -> Result<Option<u32>, FlowError> {
    let revisions = context.ledger.revisions(canary)?;
    let since = match revisions.last() {
        Some(last) => last.done.map(|(_, at)| at),
        None => context.ledger.presences_of(canary, &[&slot.name])?.first().map(|stay| stay.from),
    };
    let version = revisions.last().map_or(0, |last| last.version) + 1;
    Ok(since.filter(|since| context.now() >= next(canary, version, *since, period)).map(|_| version))
}

/// The rows whose time has come, with their new values.
fn due(
    context: &Context,
    slot: &StoreSlot,
    mapping: &Mapping,
    clocked: &Clocked,
    period: Duration,
) -> Result<Vec<Change>, FlowError> {
    let mut due = Vec::new();
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        // A coded persona is the same in all of its stores, and they would not change at once.
        if placement.state != State::Planted || placement.persona.is_some() {
            continue;
        }
        let canary = placement.canary;
        let Some(version) = ripe(context, slot, canary, period)? else { continue };
        let Some(contents) = context.ledger.contents(&context.journal, canary)? else { continue };
        let (Planting::Row(row), Some(locator)) = (&contents.planting, contents.locator.clone()) else { continue };
        let changes = clocked.change(context, row, &seed(canary, version));
        if changes.is_empty() {
            continue;
        }
        let marker_columns = mapping.identifiers(row);
        let placed = Placed { canary, marker_columns, planting: contents.planting, locator };
        due.push(Change { version, revision: Revision { placed, changes } });
    }
    Ok(due)
}

/// New values as the store will show them; a row whose new values do not fit keeps the old.
async fn as_shown(slot: &StoreSlot, changes: &mut Vec<Change>) -> Result<(), FlowError> {
    let mut kept = Vec::new();
    for mut change in changes.drain(..) {
        let asked = Planting::Row(change.revision.changes.clone());
        let shown = match slot.store.as_shown(std::slice::from_ref(&asked)).await {
            Ok(shown) => shown,
            Err(StoreError::Retry(why)) => return Err(FlowError::of_store(&slot.name, &StoreError::Retry(why))),
            Err(_) => continue,
        };
        let Some(Planting::Row(shown)) = shown.into_iter().next() else { continue };
        let Planting::Row(before) = &change.revision.placed.planting else { continue };
        change.revision.changes =
            shown.into_iter().filter(|(column, value)| before.get(column) != Some(value)).collect();
        if !change.revision.changes.is_empty() {
            kept.push(change);
        }
    }
    *changes = kept;
    Ok(())
}

/// Finds out of every open intent whether the store holds it, and journals that. A store that keeps no rows has none.
pub async fn settle(context: &Context, slot: &StoreSlot, mapping: &Mapping) -> Result<(), FlowError> {
    let mut open = blocking(|| open(context, slot, mapping))?;
    if open.is_empty() {
        return Ok(());
    }
    let mut records = Vec::new();
    let mut visit = |stored: Stored| {
        let Planting::Row(row) = &stored.planting else { return };
        let Some(place) =
            open.iter().position(|one| one.identity.iter().all(|(name, value)| row.get(name) == Some(value)))
        else {
            return;
        };
        let one = open.swap_remove(place);
        let holds = one.changes.iter().all(|(column, value)| row.get(column) == Some(value));
        let locator = holds.then(|| stored.locator.clone());
        records.push(Record::Revised { canary: one.canary, version: one.version, locator });
    };
    slot.store.read(&[], &mut visit).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    // A row that is gone, or was edited, holds no version of ours.
    records.extend(open.iter().map(|one| Record::Revised { canary: one.canary, version: one.version, locator: None }));
    context.append(&records).await?;
    context.settle()
}

struct Open {
    canary: CanaryId,
    version: u32,
    identity: Vec<(String, String)>,
    changes: BTreeMap<String, String>,
}

fn open(context: &Context, slot: &StoreSlot, mapping: &Mapping) -> Result<Vec<Open>, FlowError> {
    let mut open = Vec::new();
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        let canary = placement.canary;
        if context.ledger.revisions(canary)?.iter().all(|row| row.done.is_some()) {
            continue;
        }
        let (Some((version, changes)), Some(contents)) =
            (context.ledger.revising(&context.journal, canary)?, context.ledger.contents(&context.journal, canary)?)
        else {
            continue;
        };
        let Planting::Row(row) = &contents.planting else { continue };
        let columns = mapping.identifiers(row);
        let identity: Vec<(String, String)> =
            columns.into_iter().filter_map(|column| row.get(&column).cloned().map(|value| (column, value))).collect();
        // Nothing tells it from anybody's row: the intent stays open until the mapping names a column again.
        if !identity.is_empty() {
            open.push(Open { canary, version, identity, changes });
        }
    }
    Ok(open)
}

/// When a canary's next version is due. The first comes at a random time within the period, so that no two change
/// together; the later ones after about a period each.
pub fn next(canary: CanaryId, version: u32, since: Timestamp, period: Duration) -> Timestamp {
    let seed = seed(canary, version);
    let share = f64::from(u16::from_le_bytes([seed[8], seed[9]])) / 65_536.0;
    let wait = period.mul_f64(if version == 1 { share } else { 0.8 + 0.4 * share });
    since.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

fn seed(canary: CanaryId, version: u32) -> [u8; 32] {
    blake3::derive_key("telltale attribute clock", &[&canary.0[..], &version.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_changes_are_spread_over_the_period_and_later_ones_keep_its_pace() {
        let (since, period) = (Timestamp::UNIX_EPOCH, Duration::from_secs(1000));
        let wait = |number: u8, version| next(CanaryId([number; 10]), version, since, period).as_second();
        let first: Vec<i64> = (0..200).map(|number| wait(number, 1)).collect();
        let early = first.iter().filter(|wait| **wait < 500).count();
        assert!((60..140).contains(&early), "{early} of 200");
        assert!((0..200).all(|number| (800..=1200).contains(&wait(number, 2))));
    }
}
