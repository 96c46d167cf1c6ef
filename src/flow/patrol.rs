//! The patrol: every planted store is read back now and then, and a canary that somebody changed, removed, or copied to where
//! none belongs is a sighting of its own. Each change is told once; what it was before, and is now, is nobody's to read here.

use crate::{
    domain::{
        placement::{Contents, Planting, State},
        record::Record,
        sighting::{Class, Drift, Sighting},
    },
    flow::{
        context::{Context, StoreSlot, blocking},
        error::FlowError,
        judge, observe,
        progress::Progress,
        rotate,
        verify::{self, Verified},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use canaries::{CanaryId, MarkerKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What its sightings name as their sensor.
const SENSOR: &str = "patrol";
/// How often it is looked, at most, whether a store is due; and how long one that could not be read is left alone.
const LOOK: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(600);

/// Patrols until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let Some(every) = context.patrol else { return };
    let mut rests: BTreeMap<&str, Instant> = BTreeMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK.min(every)) => {}
            () = stop.cancelled() => return,
        }
        if !context.ready.load(Ordering::Acquire) {
            continue;
        }
        for slot in &context.stores {
            if rests.get(slot.name.as_str()).is_some_and(|until| Instant::now() < *until) {
                continue;
            }
            let patrolled = tokio::select! {
                patrolled = patrol(&context, slot, every) => patrolled,
                () = stop.cancelled() => return,
            };
            if let Err(error) = &patrolled {
                tracing::error!(store = slot.name, %error, "the store could not be patrolled; it is tried again");
                rests.insert(&slot.name, Instant::now() + REST);
            }
            context.sees(&format!("{SENSOR} of {}", slot.name), patrolled.err().map(|_| "the_store_cannot_be_read"));
        }
    }
}

/// Reads a store back if its time has come, and reports what changed since it was reported last.
async fn patrol(context: &Context, slot: &StoreSlot, every: Duration) -> Result<(), FlowError> {
    let works = context.works.lock().await;
    context.settle()?;
    if !blocking(|| is_due(context, slot, every))? {
        return Ok(());
    }
    let verified = verify::verify_store(context, slot, &Progress::default()).await?;
    drop(works);
    report(context, slot, &verified).await?;
    judge::again(context).await
}

fn is_due(context: &Context, slot: &StoreSlot, every: Duration) -> Result<bool, FlowError> {
    let Some(planted) = rotate::planted_at(context, slot)? else { return Ok(false) };
    let audited = context.ledger.audits()?.remove(&slot.name).and_then(|audits| audits.last().copied());
    let last = audited.map_or(planted, |audited| audited.max(planted));
    Ok(context.now().duration_since(last).unsigned_abs() >= every)
}

/// What is wrong with each canary, each by a name: a value that was changed again is another.
type Wrong = BTreeMap<CanaryId, BTreeMap<String, Drift>>;

/// Makes sightings of what is new, durable together with what was reported by now.
async fn report(context: &Context, slot: &StoreSlot, verified: &Verified) -> Result<(), FlowError> {
    let wrong = blocking(|| wrong(context, slot, verified))?;
    let place = format!("{SENSOR} of {}", slot.name);
    let known = blocking(|| context.ledger.position(&context.journal, &place))?;
    let known: BTreeMap<CanaryId, BTreeSet<String>> =
        known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
    let now: BTreeMap<CanaryId, BTreeSet<String>> =
        wrong.iter().map(|(canary, wrong)| (*canary, wrong.keys().cloned().collect())).collect();
    if now == known {
        return Ok(());
    }
    let mut records = Vec::new();
    for (canary, wrong) in wrong {
        let told = known.get(&canary);
        for (name, drift) in wrong {
            if !told.is_some_and(|told| told.contains(&name)) {
                records.extend(blocking(|| sighting(context, slot, canary, drift))?);
            }
        }
    }
    records
        .push(Record::Positioned { sensor: place, position: serde_json::to_value(&now).map_err(anyhow::Error::from)? });
    context.append(&records).await?;
    observe::sighted(context, &records);
    Ok(())
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
        if planted.state != State::Planned && planted.persona.is_none() && !is_here {
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
