//! A touch arrives: is a canary in it? Either way it is made durable, in the same time and with the same answer.

use crate::{
    domain::{
        record::Record,
        sighting::{Class, Presented, Sighting, Touch},
    },
    flow::{
        context::{Context, patiently},
        error::FlowError,
    },
    journal::{key_ref::KeyRef, log},
    sensors::sensor::{NotDurable, Observer},
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use canaries::{
    CanaryId, MarkerKind,
    index::{self, Index, Owner},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// At most so much of what was received is kept with a sighting.
pub const EVIDENCE: usize = 64 * 1024;

/// The service's observer: what every sensor reports to.
pub struct Observe {
    pub context: Arc<Context>,
    /// What it reports is a rehearsal's.
    pub drill: bool,
}

#[async_trait]
impl Observer for Observe {
    async fn observe(&self, touch: Touch) -> Result<(), NotDurable> {
        observe(&self.context, touch, self.drill).await.map(drop).map_err(|_| NotDurable)
    }

    async fn remember(&self, sensor: &str, position: serde_json::Value) -> Result<(), NotDurable> {
        self.context
            .append_one(&Record::Positioned { sensor: sensor.to_owned(), position })
            .await
            .map(drop)
            .map_err(|_| NotDurable)
    }

    async fn recall(&self, sensor: &str) -> Option<serde_json::Value> {
        self.context.settle().ok()?;
        self.context.ledger.position(&self.context.journal, sensor).ok().flatten()
    }

    fn refused(&self, sensor: &str, reason: &'static str) {
        self.context.refuse(sensor, reason);
    }
}

/// Makes the touch durable; answers the canaries in it.
pub async fn observe(context: &Context, touch: Touch, drill: bool) -> Result<Vec<CanaryId>, log::NotDurable> {
    if !context.ready.load(Ordering::Acquire) {
        context.append_one(&Record::Held { key: context.held, touch }).await?;
        return Ok(Vec::new());
    }
    let recognised = {
        let index = context.index.read().expect("no thread panics while it holds the index");
        recognise(&index, &touch.presented, &touch.text)
    };
    let evidence = STANDARD.encode(&touch.evidence[..touch.evidence.len().min(EVIDENCE)]);
    if recognised.is_empty() {
        metrics::counter!("telltale_strangers_total", "sensor" => touch.sensor.clone()).increment(1);
        // What a sighting's entry would have taken: its fields and its evidence.
        let size = 400 + touch.sensor.len() + touch.reporter.len() + touch.service.len() + evidence.len();
        context.journal.count(&touch.sensor, touch.source_ip, size).await?;
        return Ok(Vec::new());
    }
    metrics::counter!("telltale_sightings_total", "sensor" => touch.sensor.clone()).increment(recognised.len() as u64);
    let records = sightings(context, &touch, &recognised, evidence, drill);
    context.append(&records).await?;
    context.sighted.notify_one();
    Ok(recognised.into_keys().collect())
}

/// Recognises what was held while the index was being filled, and forgets the strangers in it.
pub async fn release(context: &Context) -> Result<(), FlowError> {
    // Twice: a touch may have looked before the index was ready, and be held just after.
    for _ in 0..2 {
        context.settle()?;
        let held = context.ledger.held()?;
        let mut keys = BTreeSet::from([context.held]);
        let last = held.last().copied();
        for seq in held {
            let entry = context.journal.get(seq).map_err(anyhow::Error::from)?;
            if let Some(Ok(Record::Held { key, touch })) = entry.map(|entry| entry.record) {
                keys.insert(key);
                // Once and no more, even if the disk fills up half way.
                patiently(|| observe(context, touch.clone(), context.drill)).await?;
            }
        }
        if let Some(up_to) = last {
            let released = Record::Released { up_to };
            patiently(|| context.append_one(&released)).await?;
        }
        for key in keys.iter().filter(|key| **key != context.held) {
            context.keyring.erase(KeyRef::File(*key)).map_err(anyhow::Error::from)?;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    context.settle()?;
    if context.ledger.held()?.is_empty() {
        context.keyring.erase(KeyRef::File(context.held)).map_err(anyhow::Error::from)?;
    }
    Ok(())
}

/// The canaries and ghosts in what was presented, each with its most telling marker.
fn recognise(index: &Index, presented: &[Presented], text: &[u8]) -> BTreeMap<CanaryId, MarkerKind> {
    let mut found: BTreeMap<CanaryId, MarkerKind> = BTreeMap::new();
    let mut take = |owner: Owner, kind: MarkerKind| {
        found.entry(name(owner)).and_modify(|best| *best = telling(*best, kind)).or_insert(kind);
    };
    for value in presented {
        for known in index.recognise(value.hint, &value.value) {
            take(known.owner, known.kind);
        }
    }
    if !text.is_empty() {
        index::scan(text, index, &mut |sight| {
            if sight.strong {
                take(sight.owner, sight.kind);
            }
        });
    }
    found
}

/// Ghosts bear ids too, so that a ghost's sighting is kept and counted like any other.
pub fn name(owner: Owner) -> CanaryId {
    match owner {
        Owner::Canary(canary) => canary,
        Owner::Ghost(number) => CanaryId::of_ghost(number),
    }
}

fn telling(one: MarkerKind, other: MarkerKind) -> MarkerKind {
    // A password tells most; a weak marker least.
    let rank = |kind: MarkerKind| match kind {
        MarkerKind::Password => 0,
        kind if kind.is_weak() => 2,
        _ => 1,
    };
    if rank(other) < rank(one) { other } else { one }
}

fn sightings(
    context: &Context,
    touch: &Touch,
    recognised: &BTreeMap<CanaryId, MarkerKind>,
    evidence: String,
    drill: bool,
) -> Vec<Record> {
    recognised
        .iter()
        .map(|(canary, kind)| Record::Sighted {
            sighting: Sighting {
                id: 0,
                at: touch.at,
                received_at: context.now(),
                sensor: touch.sensor.clone(),
                reporter: touch.reporter.clone(),
                source_ip: touch.source_ip,
                service: touch.service.clone(),
                canary: *canary,
                marker_kind: *kind,
                class: touch.class,
                drill,
            },
            evidence: evidence.clone(),
        })
        .collect()
}

/// A short name of what happened, for alerts.
pub fn happening(class: Class) -> &'static str {
    match class {
        Class::Dump => "its data was published",
        Class::Login => "its login was tried",
        Class::Mail => "its address was written to",
        Class::Document => "its document was opened",
    }
}
