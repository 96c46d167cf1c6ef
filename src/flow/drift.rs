//! What somebody did to canaries where they stand: one that was changed, removed, or copied to where none belongs is a sighting
//! of its own, each time once, whoever looked. What a value was before, and is now, is nobody's to read here.

use crate::{
    domain::{
        placement::{Contents, Planting, State},
        record::Record,
        sighting::{Class, Drift, Sighting},
    },
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        verify::Verified,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use canaries::{CanaryId, MarkerKind};
use std::collections::{BTreeMap, BTreeSet};

/// What its sightings name as their sensor.
const SENSOR: &str = "patrol";

/// What is wrong with each canary, each by a name: a value that was changed again is another.
type Wrong = BTreeMap<CanaryId, BTreeMap<String, Drift>>;

/// The sightings of what is new, and with them what was reported by now.
pub fn news(context: &Context, slot: &StoreSlot, verified: &Verified) -> Result<Vec<Record>, FlowError> {
    let wrong = wrong(context, slot, verified)?;
    let place = format!("{SENSOR} of {}", slot.name);
    let known: BTreeMap<CanaryId, BTreeSet<String>> = context
        .ledger
        .position(&context.journal, &place)?
        .and_then(|known| serde_json::from_value(known).ok())
        .unwrap_or_default();
    let now: BTreeMap<CanaryId, BTreeSet<String>> =
        wrong.iter().map(|(canary, wrong)| (*canary, wrong.keys().cloned().collect())).collect();
    if now == known {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for (canary, wrong) in wrong {
        let told = known.get(&canary);
        for (name, drift) in wrong {
            if !told.is_some_and(|told| told.contains(&name)) {
                records.extend(sighting(context, slot, canary, drift)?);
            }
        }
    }
    records
        .push(Record::Positioned { sensor: place, position: serde_json::to_value(&now).map_err(anyhow::Error::from)? });
    Ok(records)
}

fn wrong(context: &Context, slot: &StoreSlot, verified: &Verified) -> Result<Wrong, FlowError> {
    let mut wrong = Wrong::new();
    for altered in &verified.altered {
        let name = format!("{} {}", altered.field, altered.new);
        wrong.entry(altered.canary).or_default().insert(name, Drift::Altered { column: altered.field.clone() });
    }
    for canary in &verified.missing {
        wrong.entry(*canary).or_default().insert("missing".to_owned(), Drift::Missing);
    }
    for canary in &verified.copied {
        // People and values that several stores share are `verify`'s to tell: there is a lot for each.
        let Some(row) = context.ledger.placement(*canary)? else { continue };
        let planted = row.placement;
        let is_here = planted.store == slot.name || reached(context, &planted.store).contains(slot.name.as_str());
        // Of a store that is not configured any more nobody knows where its feeds led.
        let is_known = context.stores.iter().any(|other| other.name == planted.store);
        if is_known && planted.state != State::Planned && planted.persona.is_none() && !is_here {
            wrong.entry(*canary).or_default().insert("copied".to_owned(), Drift::Copied);
        }
    }
    Ok(wrong)
}

/// The stores to which a store's feeds bring its rows.
fn reached<'a>(context: &'a Context, store: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut ahead) = (BTreeSet::new(), vec![store]);
    while let Some(store) = ahead.pop() {
        let feeds = context.stores.iter().filter(|slot| slot.name == store).flat_map(|slot| &slot.feeds);
        ahead.extend(feeds.map(String::as_str).filter(|feed| found.insert(*feed)));
    }
    found
}

fn sighting(context: &Context, slot: &StoreSlot, canary: CanaryId, drift: Drift) -> Result<Option<Record>, FlowError> {
    let (Some(row), Some(contents)) =
        (context.ledger.placement(canary)?, context.ledger.contents(&context.journal, canary)?)
    else {
        return Ok(None);
    };
    let altered = match &drift {
        Drift::Altered { column } => kind_in(slot, &contents, column),
        Drift::Missing | Drift::Copied => None,
    };
    let harmless = |kind: &MarkerKind| !matches!(kind, MarkerKind::Password | MarkerKind::Nir | MarkerKind::Iban);
    let kinds = || contents.markers.iter().map(|marker| marker.kind);
    let Some(marker_kind) = altered.or_else(|| kinds().find(harmless)).or_else(|| kinds().next()) else {
        return Ok(None);
    };
    let (at, evidence) = (context.now(), serde_json::json!({ "store": slot.name, "drift": drift }));
    let sighting = Sighting {
        id: 0,
        at,
        claimed_at: None,
        received_at: at,
        sensor: SENSOR.to_owned(),
        reporter: "telltale".to_owned(),
        source_ip: None,
        service: slot.name.clone(),
        canary: row.placement.seen_as(),
        marker_kind,
        class: Class::Store,
        copied: None,
        row: None,
        also: Vec::new(),
        values: Vec::new(),
        drift: Some(drift),
        mail: None,
        drill: context.drill,
    };
    Ok(Some(Record::Sighted { sighting, evidence: STANDARD.encode(evidence.to_string()) }))
}

/// The kind of marker that was planted in this column, if any was.
fn kind_in(slot: &StoreSlot, contents: &Contents, column: &str) -> Option<MarkerKind> {
    let hashed = slot.store.columns().password_hash.as_ref();
    if hashed.is_some_and(|hashed| hashed.column.eq_ignore_ascii_case(column)) {
        return Some(MarkerKind::Password);
    }
    let Planting::Row(row) = &contents.planting else { return None };
    let planted = row.get(column)?;
    contents.markers.iter().find(|marker| marker.value == *planted).map(|marker| marker.kind)
}
