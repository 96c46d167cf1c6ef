//! The attribute clock: salaries, titles and superiors of planted rows change now and then, as anybody's do, so that a copied row tells
//! by its version when it was copied. What identifies a canary never changes.

use crate::{
    domain::{
        placement::{Planting, State},
        record::Record,
    },
    flow::{
        context::{Context, StoreSlot, blocking},
        each::Each,
        error::FlowError,
        mapping::Mapping,
        plant,
        progress::Progress,
        recover,
    },
    ledger::placements::PlacementRow,
    stores::store::{Placed, Profile, Revision, StoreError, Stored, Takes},
};
use canaries::{CanaryId, Field};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How often a canary's values change where nothing is configured: as often as people's do.
pub const USUAL: Duration = Duration::from_secs(365 * 24 * 3600);
/// A code must be shared by so many rows before a canary may take it.
const SHARED: u64 = 5;

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
    if clocked.salary.is_none() && clocked.others.is_empty() {
        return Ok(nothing(
            "no column of it is mapped to a salary, to titles that many rows share, or to superiors by name",
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
        })
        .collect();
    context.append(&intents).await?;
    context.settle()?;
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

/// The columns whose values may change.
struct Clocked {
    salary: Option<String>,
    /// Titles and superiors: each column, with lists of the values of which one may follow another.
    others: Vec<(String, Vec<Vec<String>>)>,
}

impl Clocked {
    fn of(context: &Context, slot: &StoreSlot, mapping: &Mapping, profile: &Profile) -> Clocked {
        let free = |field: Field| {
            let column = mapping.fields.get(&field)?;
            let constant = slot.store.constants().keys().any(|name| name.eq_ignore_ascii_case(column));
            (!constant).then(|| column.clone())
        };
        let column = |field: Field| {
            let column = free(field)?;
            let profile = profile.columns.iter().find(|known| known.name.eq_ignore_ascii_case(&column))?;
            Some((column, &profile.shape))
        };
        let titles = column(Field::JobTitle).and_then(|(column, shape)| {
            let codes = shape.codes.iter().filter(|(_, count)| **count >= SHARED);
            let codes: Vec<String> = codes.map(|(code, _)| code.clone()).collect();
            (codes.len() > 1).then(|| (column, vec![codes]))
        });
        // No colleague's superior is kept: only one whom the house invented is followed by another such.
        let superiors = column(Field::Manager)
            .map(|(column, shape)| (column, context.minter.superiors(|person| shape.render(Field::Manager, person))));
        let superiors = superiors.filter(|(_, lists)| lists.iter().flatten().all(|name| !name.is_empty()));
        Clocked { salary: free(Field::Salary), others: titles.into_iter().chain(superiors).collect() }
    }

    /// Other values for a row, from a seed alone.
    fn change(&self, row: &BTreeMap<String, String>, seed: &[u8; 32]) -> BTreeMap<String, String> {
        let mut changes = BTreeMap::new();
        if let Some(column) = &self.salary
            && let Some(more) = row.get(column).and_then(|salary| raised(salary, seed))
        {
            changes.insert(column.clone(), more);
        }
        for (place, (column, lists)) in self.others.iter().enumerate() {
            // A title or a superior changes seldom, unless nothing else can.
            let [seldom, which] = [seed[16 + 2 * place], seed[17 + 2 * place]];
            if (seldom < 64 || changes.is_empty())
                && let Some(now) = row.get(column)
            {
                // A title need not be known to be followed by one; of superiors there are many lists.
                let list = lists.iter().find(|list| lists.len() == 1 || list.contains(now)).into_iter().flatten();
                let others: Vec<&String> = list.filter(|value| *value != now).collect();
                if let Some(value) = others.get(usize::from(which) % others.len().max(1)) {
                    changes.insert(column.clone(), (*value).clone());
                }
            }
        }
        changes
    }
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
        let changes = clocked.change(row, &seed(canary, version));
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

/// One to four per cent more, as round as it was.
fn raised(salary: &str, seed: &[u8; 32]) -> Option<String> {
    let digits = salary.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = salary.split_at(digits);
    let number: u64 = whole.parse().ok().filter(|number| (100..1_000_000_000).contains(number))?;
    let is_fraction = |text: &str| {
        let mut bytes = text.bytes();
        matches!(bytes.next(), Some(b'.' | b',')) && bytes.len() > 0 && bytes.all(|byte| byte.is_ascii_digit())
    };
    if !rest.is_empty() && !is_fraction(rest) {
        return None;
    }
    let round = [100, 10, 12].into_iter().find(|round| number.is_multiple_of(*round)).unwrap_or(1);
    let more = number as f64 * (1.01 + f64::from(seed[0]) / 255.0 * 0.03);
    let raised = ((more / round as f64).round() as u64 * round).max(number + round);
    // What follows the point stays, if it is nothing; else it is as odd as before, and another.
    let odd = |byte: u8, at: usize| char::from(b'0' + (byte - b'0' + 1 + seed[3 + at % 8] % 8) % 10);
    let fraction: String = rest
        .bytes()
        .enumerate()
        .map(|(at, byte)| {
            if byte.is_ascii_digit() && rest.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
                odd(byte, at)
            } else {
                char::from(byte)
            }
        })
        .collect();
    Some(format!("{raised}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_as_round_as_the_salary_was() {
        for number in 0..50 {
            let seed = seed(CanaryId([number; 10]), 1);
            let risen = |text: &str| raised(text, &seed).unwrap();
            for (before, round) in [("31200", 100), ("31210", 10), ("25008", 12), ("25003", 1), ("2400.00", 100)] {
                let (old, new): (f64, f64) = (before.parse().unwrap(), risen(before).parse().unwrap());
                assert!(new > old && new <= old * 1.05 + f64::from(round), "{before} {new}");
                assert_eq!(new as u64 % u64::from(round as u32), 0, "{before} {new}");
            }
            assert!(risen("2400.00").ends_with(".00") && !risen("2931,45").ends_with(",45"), "{}", risen("2931,45"));
            assert_eq!(risen("2931,45").len(), 7);
        }
        for odd in ["", "12", "31 200", "31200 EUR", "12.345.6", "n/a"] {
            assert_eq!(raised(odd, &[7; 32]), None, "{odd}");
        }
    }

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
