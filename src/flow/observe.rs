//! A touch arrives: is a canary in it? Either way it is made durable, in the same time and with the same answer.

use crate::{
    domain::{
        mail::{Mail, MailClass},
        record::Record,
        sighting::{Class, Drift, Presented, Sighting, Touch},
    },
    flow::{
        collected,
        context::{Context, StoreSlot},
        error::FlowError,
        gates,
    },
    journal::{counts::Stranger, key_ref::KeyRef, log},
    sensors::sensor::{Material, NotDurable, NotTaken, Observer},
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use canaries::{
    CanaryId, MarkerKind,
    index::{self, Index, Owner},
};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// At most so much of what was received is kept with a sighting.
pub const EVIDENCE: usize = 64 * 1024;
/// A sender's clock may be ahead by so much.
pub const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(5);
/// So long after its arrival a touch is answered, unless making it durable takes longer: what a canary costs more than a
/// stranger is lost in it.
const ANSWERED_AFTER: Duration = Duration::from_millis(3);
/// So many held touches are released at once.
const AT_A_TIME: usize = 32;

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

    async fn observe_all(
        &self,
        sensor: &str,
        touches: Vec<Touch>,
        position: serde_json::Value,
    ) -> Result<(), NotDurable> {
        observe_all(&self.context, sensor, &touches, position, self.drill).await
    }

    async fn take_in(&self, material: Material) -> Result<(), NotTaken> {
        collected::take_in(&self.context, material).await
    }

    async fn remember(&self, sensor: &str, position: serde_json::Value) -> Result<(), NotDurable> {
        self.context
            .append_one(&Record::Positioned { sensor: sensor.to_owned(), position })
            .await
            .map(drop)
            .map_err(|_| NotDurable)
    }

    async fn recall(&self, sensor: &str) -> anyhow::Result<Option<serde_json::Value>> {
        self.context.settle()?;
        Ok(self.context.ledger.position(&self.context.journal, sensor)?)
    }

    fn refused(&self, sensor: &str, reason: &'static str) {
        self.context.refuse(sensor, reason);
    }

    fn sees(&self, sensor: &str, unable: Option<&'static str>) {
        self.context.sees(sensor, unable);
    }
}

/// Makes the touch durable; answers the canaries in it, at a time that does not tell whether there are any.
pub async fn observe(context: &Context, touch: Touch, drill: bool) -> Result<Vec<CanaryId>, log::NotDurable> {
    let due = Instant::now() + ANSWERED_AFTER;
    let canaries = keep(context, touch, drill).await;
    tokio::time::sleep_until(due).await;
    canaries
}

/// Makes all touches of one post durable, at a time that does not tell whether canaries are among them. Those of canaries go
/// in one piece: where that fails and the post is sent again, none of them was told.
pub async fn observe_together(context: &Context, touches: Vec<Touch>, drill: bool) -> Result<(), log::NotDurable> {
    let due = Instant::now() + ANSWERED_AFTER;
    let kept = keep_together(context, touches, drill).await;
    tokio::time::sleep_until(due).await;
    kept
}

async fn keep_together(context: &Context, touches: Vec<Touch>, drill: bool) -> Result<(), log::NotDurable> {
    if !context.ready.load(Ordering::Acquire) {
        let held = touches.into_iter().map(|touch| Record::Held { key: context.held, touch });
        return context.append(&held.collect::<Vec<_>>()).await.map(drop);
    }
    let (mut records, mut strangers, now) = (Vec::new(), Vec::new(), context.now());
    for touch in &touches {
        let sightings = recognised(context, touch, drill, now);
        if sightings.is_empty() {
            strangers.push(stranger(context, touch, drill));
        } else {
            std::hint::black_box(Stranger::new(&touch.sensor, touch.source_ip, 0, 0));
        }
        records.extend(sightings);
    }
    let (kept, counted) = tokio::join!(context.append(&records), try_join_all(strangers));
    kept?;
    // A stranger who was not counted is no reason to tell of the canaries twice.
    if records.is_empty() {
        return counted.map(drop);
    }
    sighted(context, &records);
    Ok(())
}

async fn keep(context: &Context, touch: Touch, drill: bool) -> Result<Vec<CanaryId>, log::NotDurable> {
    if !context.ready.load(Ordering::Acquire) {
        context.append_one(&Record::Held { key: context.held, touch }).await?;
        return Ok(Vec::new());
    }
    let records = recognised(context, &touch, drill, context.now());
    if records.is_empty() {
        stranger(context, &touch, drill).await?;
        return Ok(Vec::new());
    }
    // What a stranger's touch would have been counted with: whoever has a clock sees that both are made.
    std::hint::black_box(Stranger::new(&touch.sensor, touch.source_ip, 0, 0));
    context.append(&records).await?;
    sighted(context, &records);
    let canary = |record: &Record| match record {
        Record::Sighted { sighting, .. } => Some(sighting.canary),
        _ => None,
    };
    Ok(records.iter().filter_map(canary).collect())
}

/// Makes the canaries' touches and the position durable, in one piece. The index is waited for: what the touches come from
/// stays where it is meanwhile.
async fn observe_all(
    context: &Context,
    sensor: &str,
    touches: &[Touch],
    position: serde_json::Value,
    drill: bool,
) -> Result<(), NotDurable> {
    ready(context).await?;
    let now = context.now();
    let (mut records, mut strangers) = (Vec::new(), 0);
    for touch in touches {
        let sightings = recognised(context, touch, drill, now);
        // What is published is counted; of a real person's login not even a number stays.
        strangers += u64::from(sightings.is_empty() && touch.class == Class::Dump);
        records.extend(sightings);
    }
    let counted = || metrics::counter!("telltale_strangers_total", "sensor" => sensor.to_owned()).increment(strangers);
    if records.is_empty() {
        counted();
        return Ok(());
    }
    records.push(Record::Positioned { sensor: sensor.to_owned(), position });
    context.append(&records).await.map_err(|_| NotDurable)?;
    counted();
    sighted(context, &records);
    Ok(())
}

/// Waits until the index is whole.
pub(super) async fn ready(context: &Context) -> Result<(), NotDurable> {
    while !context.ready.load(Ordering::Acquire) {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            () = context.stop.cancelled() => return Err(NotDurable),
        }
    }
    Ok(())
}

/// Counts the sightings among these records, which are durable now, and has them judged.
pub(super) fn sighted(context: &Context, records: &[Record]) {
    for record in records {
        if let Record::Sighted { sighting, .. } = record {
            metrics::counter!("telltale_sightings_total", "sensor" => sighting.sensor.clone()).increment(1);
        }
    }
    context.sighted.notify_one();
}

/// The sightings that this touch makes; none if it is a stranger's.
fn recognised(context: &Context, touch: &Touch, drill: bool, received_at: Timestamp) -> Vec<Record> {
    let mut recognised = {
        let index = context.index.read().expect("no thread panics while it holds the index");
        recognise(&index, &touch.presented, &touch.text)
    };
    if let Some(canary) = touch.opened.as_ref().and_then(|opened| context.located.find(context, opened)) {
        recognised.entry(canary).or_insert(MarkerKind::DocumentLink);
    }
    sightings(context, touch, &recognised, drill, received_at)
}

/// Counts a touch that is no canary's. The sighting that it would have been is written out all the same, and only its
/// length is kept.
async fn stranger(context: &Context, touch: &Touch, drill: bool) -> Result<(), log::NotDurable> {
    metrics::counter!("telltale_strangers_total", "sensor" => touch.sensor.clone()).increment(1);
    let nobody = BTreeMap::from([(CanaryId([0; 10]), MarkerKind::Username)]);
    let mut length = 0;
    for record in sightings(context, touch, &nobody, drill, context.now()) {
        length += serde_json::to_vec(&record).map_or(0, |text| text.len());
    }
    context.journal.count(&touch.sensor, touch.source_ip, length).await
}

fn evidence(touch: &Touch) -> String {
    STANDARD.encode(&touch.evidence[..touch.evidence.len().min(EVIDENCE)])
}

/// Recognises what was held while the index was being filled, and forgets the strangers in it.
pub async fn release(context: &Context) -> Result<(), FlowError> {
    // Twice: a touch may have looked before the index was ready, and be held just after.
    for _ in 0..2 {
        context.settle()?;
        let held = context.ledger.held()?;
        for some in held.chunks(AT_A_TIME) {
            let (mut records, mut strangers) = (Vec::new(), Vec::new());
            for seq in some {
                let Some(entry) = context.journal.get(*seq).map_err(anyhow::Error::from)? else { continue };
                let Ok(Record::Held { touch, .. }) = entry.record else { continue };
                let sightings = recognised(context, &touch, context.drill, entry.at);
                if sightings.is_empty() {
                    strangers.push(touch);
                }
                records.extend(sightings);
            }
            try_join_all(
                strangers.iter().map(|touch| context.patiently(move || stranger(context, touch, context.drill))),
            )
            .await?;
            // One append: whoever is killed here finds each of them held or sighted, and never both.
            records.extend(some.last().map(|last| Record::Released { up_to: *last }));
            context.patiently(|| context.append(&records)).await?;
            sighted(context, &records);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    context.settle()?;
    if context.ledger.held()?.is_empty() {
        // Those of earlier starts too: one that was killed here had no time to forget.
        for key in context.ledger.held_keys()?.into_iter().chain([context.held]) {
            context.keyring.erase(KeyRef::File(key)).map_err(anyhow::Error::from)?;
        }
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
        let known =
            if value.hmac { gates::recognise(index, &value.value) } else { index.recognise(value.hint, &value.value) };
        known.into_iter().for_each(|known| take(known.owner, known.kind));
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
    drill: bool,
    received_at: Timestamp,
) -> Vec<Record> {
    let latest = received_at.saturating_add(CLOCK_ERROR).unwrap_or(received_at);
    let believed = (context.began..=latest).contains(&touch.at);
    let (at, claimed_at) = if believed { (touch.at, None) } else { (received_at, Some(touch.at)) };
    let sighted = |(canary, kind): (&CanaryId, &MarkerKind)| Record::Sighted {
        sighting: Sighting {
            id: 0,
            at,
            claimed_at,
            copied: None,
            row: None,
            also: Vec::new(),
            values: Vec::new(),
            drift: None,
            mail: mail(context, touch, *canary),
            received_at,
            sensor: touch.sensor.clone(),
            reporter: touch.reporter.clone(),
            source_ip: touch.source_ip,
            service: touch.service.clone(),
            canary: *canary,
            marker_kind: *kind,
            class: touch.class,
            drill,
        },
        evidence: evidence(touch),
    };
    recognised.iter().map(sighted).collect()
}

/// What the mail is to this canary: its store may name the sender as one of its own. Only a sender who is proven is believed, and
/// whose he is is asked of the same stores for everybody.
fn mail(context: &Context, touch: &Touch, canary: CanaryId) -> Option<Box<Mail>> {
    let mut mail = touch.mail.clone()?;
    let proven = mail.origin.as_ref().is_some_and(|origin| origin.proven);
    if let Some(sender) = mail.sender.as_ref().filter(|_| proven) {
        let names = |slot: &&StoreSlot| slot.senders.iter().any(|own| sender.is(own));
        let stores: Vec<&str> = context.stores.iter().filter(names).map(|slot| slot.name.as_str()).collect();
        // Feeds bring canaries into other stores: those that it came to count as well.
        if context.ledger.presences_of(canary, &stores).is_ok_and(|stays| !stays.is_empty()) {
            mail.class = MailClass::LegitimateSender;
        }
    }
    Some(mail)
}

/// A short name of what happened, for alerts.
pub fn happening(sighting: &Sighting) -> String {
    match (sighting.class, &sighting.drift) {
        (Class::Dump, _) => "its data was published".to_owned(),
        (Class::Login, _) => "its login was tried".to_owned(),
        (Class::Mail, _) => match &sighting.mail {
            Some(mail) => format!("its address was written to ({})", mail.in_words()),
            None => "its address was written to".to_owned(),
        },
        (Class::Document, _) => "its document was opened".to_owned(),
        (Class::Preview, _) => format!("its document's link was looked up or fetched ({})", sighting.service),
        (Class::Read, _) => format!("somebody read it in {}", sighting.service),
        (Class::Store, Some(Drift::Altered { column })) => {
            format!("somebody changed {column} of it in {}", sighting.service)
        }
        (Class::Store, Some(Drift::Missing)) => format!("somebody removed it from {}", sighting.service),
        (Class::Store, Some(Drift::Copied)) => format!("somebody copied it into {}", sighting.service),
        (Class::Store, None) => format!("somebody touched it in {}", sighting.service),
    }
}
