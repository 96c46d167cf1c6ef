//! Delivery: what is due goes out, each sink by itself, and every attempt is journaled. An alert leaves the outbox only
//! when its receiver has it, or when it is a dead letter that somebody can see and replay.

use crate::{
    domain::{
        alert::{Alert, AlertType, Revealed},
        incident::State,
        record::{Actor, AttemptOutcome, Record},
    },
    flow::{
        context::{Context, SinkSlot, blocking, listed},
        digest,
        error::FlowError,
        route,
    },
    ledger::outbox::Due,
    sinks::{
        shape::sent::noting,
        sink::{Receipt, SinkError},
    },
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use webhooks::Schedule;

/// Attempts of one sink under way at once.
const CONCURRENCY: usize = 8;
/// Alerts that are tried before the outbox is looked at again.
const ROUND: usize = 256;
/// How often the outbox is looked at when nobody rings.
const TICK: Duration = Duration::from_secs(1);

/// Delivers for one sink until told to stop. Its digests go their own way: one that hangs delays nothing that is urgent.
pub async fn deliver(context: Arc<Context>, place: usize, stop: CancellationToken) {
    let Some(slot) = context.sinks.get(place) else { return };
    let urgent = async {
        while !stop.is_cancelled() {
            let rung = context.due.notified();
            if told(slot, deliver_alone(&context, slot).await) == ROUND {
                continue;
            }
            tokio::select! {
                () = rung => {}
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
    };
    let gathered = async {
        let Some(pause) = digest::pause(slot) else { return };
        while !stop.is_cancelled() {
            if told(slot, digest::deliver(&context, slot).await) > 0 {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    };
    tokio::join!(urgent, gathered);
}

/// How many were tried; none where that could not be recorded.
fn told(slot: &SinkSlot, tried: Result<usize, FlowError>) -> usize {
    tried.unwrap_or_else(|error| {
        tracing::error!(sink = slot.name, %error, "delivery could not be recorded; it is tried again");
        0
    })
}

/// Makes one attempt at what is due at this sink now, a round at most and a digest; answers at how many.
pub async fn deliver_due(context: &Context, slot: &SinkSlot) -> Result<usize, FlowError> {
    let (alone, gathered) = tokio::join!(deliver_alone(context, slot), digest::deliver(context, slot));
    Ok(alone? + gathered?)
}

/// What is due at this sink now and leaves by itself, at most so many.
pub fn due_alone(context: &Context, slot: &SinkSlot, most: usize) -> Result<Vec<Due>, FlowError> {
    match slot.sink.options().digest {
        Some(_) => blocking(|| digest::urgent(context, slot, most)),
        None => Ok(context.ledger.due(&slot.name, context.now(), most)?),
    }
}

async fn deliver_alone(context: &Context, slot: &SinkSlot) -> Result<usize, FlowError> {
    // What the ledger does not know yet to be sent, after a start above all, would be sent again.
    context.settle()?;
    let due = due_alone(context, slot, ROUND)?;
    let tried = due.len();
    let due = if slot.sink.acknowledges() { blocking(|| in_turn(context, due))? } else { due };
    // While some attempts are journaled, together, the next are under way.
    let (made, mut ended) = mpsc::channel::<Made>(CONCURRENCY);
    let attempts = async move {
        let attempts = stream::iter(due).map(|due| async {
            if let Some(made_one) = attempt(context, slot, due).await? {
                // Nobody listens any more where recording failed: what came of this one is tried again.
                let _ = made.send(made_one).await;
            }
            Ok(())
        });
        attempts.buffer_unordered(CONCURRENCY).collect::<Vec<Result<(), FlowError>>>().await
    };
    // Where it fails, nobody waits for it: `ended` goes with it.
    let recording = async move {
        let mut some = Vec::new();
        while ended.recv_many(&mut some, CONCURRENCY).await > 0 {
            record(context, slot, std::mem::take(&mut some)).await?;
        }
        Ok::<(), FlowError>(())
    };
    let (outcomes, recorded) = tokio::join!(attempts, recording);
    recorded?;
    outcomes.into_iter().collect::<Result<(), FlowError>>()?;
    Ok(tried)
}

/// The first of these of each incident: the others come in the next round, so that an incident's end is not overtaken.
fn in_turn(context: &Context, due: Vec<Due>) -> Result<Vec<Due>, FlowError> {
    let (mut first, mut under_way) = (Vec::with_capacity(due.len()), HashSet::new());
    for due in due {
        let incident = context.ledger.alert(&context.journal, &due.alert)?.and_then(|alert| alert.incident);
        if incident.is_none_or(|incident| under_way.insert(incident.id)) {
            first.push(due);
        }
    }
    Ok(first)
}

/// Makes one attempt; none where there is no such alert.
async fn attempt(context: &Context, slot: &SinkSlot, due: Due) -> Result<Option<Made>, FlowError> {
    let Some(mut alert) = context.ledger.alert(&context.journal, &due.alert)? else { return Ok(None) };
    if slot.sink.options().reveal {
        alert.revealed = reveal(context, slot, &alert).await?;
    }
    if slot.sink.acknowledges()
        && let Some(incident) = &alert.incident
    {
        let now = context.ledger.incident(&incident.id)?;
        alert.over = now.is_some_and(|incident| incident.state == State::Closed);
    }
    let (began, attempt) = (std::time::Instant::now(), due.attempt);
    let (outcome, request) = noting(slot.sink.options().reveal, slot.sink.send(&alert)).await;
    metrics::histogram!("telltale_delivery_duration_seconds", "kind" => slot.kind)
        .record(began.elapsed().as_secs_f64());
    Ok(Some((vec![due], judged(slot, outcome, attempt), request)))
}

/// What an attempt came to: the outcome, the receiver's status, and its answer or why there is none.
pub type Judged = (AttemptOutcome, Option<u16>, String);
/// An attempt that was made: with which alerts, what it came to, and what was sent.
pub type Made = (Vec<Due>, Judged, Option<String>);

/// What this attempt came to.
pub fn judged(slot: &SinkSlot, outcome: Result<Receipt, SinkError>, attempt: u32) -> Judged {
    let (outcome, status, response) = match outcome {
        Ok(receipt) => (AttemptOutcome::Delivered, receipt.status, receipt.response),
        Err(SinkError::GiveUp { why, status }) => (AttemptOutcome::Dead, status, why),
        Err(SinkError::Retry { why, status, after }) => {
            let jitter = rand::random_range(-0.2..=0.2);
            match Schedule::default().next(attempt, jitter, after) {
                Some(after) => (AttemptOutcome::Retry { after }, status, why),
                None => (AttemptOutcome::Dead, status, why),
            }
        }
    };
    let result = match outcome {
        AttemptOutcome::Delivered => "delivered",
        AttemptOutcome::Retry { .. } => "retry",
        AttemptOutcome::Dead => "dead",
    };
    metrics::counter!("telltale_deliveries_total", "kind" => slot.kind, "result" => result).increment(1);
    if outcome != AttemptOutcome::Delivered {
        tracing::warn!(sink = slot.name, result, why = response, "an alert was not delivered");
    }
    (outcome, status, response)
}

/// Journals what came of these attempts, in one append.
pub async fn record(context: &Context, slot: &SinkSlot, made: Vec<Made>) -> Result<(), FlowError> {
    let mut records = Vec::new();
    let mut handed = false;
    for (due, (outcome, status, response), request) in made {
        let waits: Vec<String> =
            due.iter().filter(|due| due.handed_to.is_none()).map(|due| due.alert.clone()).collect();
        if outcome == AttemptOutcome::Dead
            && !waits.is_empty()
            && let Some(then) = route::taker(context, slot)
        {
            // There is nothing left to wait for.
            records.push(Record::HandedOver { from: slot.name.clone(), to: then.name.clone(), alerts: waits });
            handed = true;
        }
        for Due { alert, sink, attempt, .. } in due {
            let (outcome, response, request) = (outcome.clone(), response.clone(), request.clone());
            records.push(Record::Attempted { alert, sink, attempt, outcome, status, response, request });
        }
    }
    if context.delivers() {
        // An attempt that is not recorded would be made again, and the receiver be told again every second.
        context.patiently(|| context.append(&records)).await?;
    } else {
        context.append(&records).await?;
    }
    context.settle()?;
    if handed {
        context.due.notify_waiters();
    }
    Ok(())
}

/// The values behind an alert's sightings, for a sink that may have them: a look that is on the record.
async fn reveal(context: &Context, slot: &SinkSlot, alert: &Alert) -> Result<Vec<Revealed>, FlowError> {
    let mut revealed: Vec<Revealed> = Vec::new();
    for sighting in &alert.sightings {
        let Some(contents) = context.ledger.contents(&context.journal, sighting.canary)? else { continue };
        let seen = contents.markers.into_iter().filter(|marker| marker.kind == sighting.marker_kind);
        for marker in seen.map(|marker| Revealed { canary: sighting.canary, marker }) {
            if !revealed.contains(&marker) {
                revealed.push(marker);
            }
        }
    }
    let detail = format!("{} to sink {}", alert.id, slot.name);
    context.append_one(&Record::Acted { by: "telltale".to_owned(), action: "reveal".to_owned(), detail }).await?;
    Ok(revealed)
}

/// What came of a test alert at one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    pub sink: String,
    pub delivered: bool,
    pub status: Option<u16>,
    /// The receiver's answer, or what went wrong and how to mend it.
    pub response: String,
}

/// Sends a marked test alert to one sink, or to all, now; journaled like any other attempt.
pub async fn test(context: &Context, name: Option<&str>, by: Actor) -> Result<Vec<Tested>, FlowError> {
    let chosen: Vec<&SinkSlot> =
        context.sinks.iter().filter(|slot| name.is_none_or(|name| slot.name == name)).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = context.sinks.iter().map(|slot| slot.name.as_str()).collect();
        return Err(FlowError::Unknown(match name {
            Some(name) => format!("no sink is called {name:?}; configured are: {}", listed(&known)),
            None => "no sink is configured: add a [[sinks]] section".to_owned(),
        }));
    }
    let alert = plain(context, AlertType::SinkTest, "This is a test: Telltale reaches this sink.", true);
    let seq = context.append_one(&Record::AlertRaised { alert: alert.clone(), sinks: Vec::new(), by }).await?;
    context.settle()?;
    let alert = Alert { id: format!("a-{seq}"), ..alert };
    let mut tested = Vec::new();
    for slot in chosen {
        let (outcome, request) = noting(slot.sink.options().reveal, slot.sink.send(&alert)).await;
        let (delivered, status, response) = match outcome {
            Ok(receipt) => (true, receipt.status, receipt.response),
            Err(SinkError::Retry { why, status, .. } | SinkError::GiveUp { why, status }) => (false, status, why),
        };
        context
            .append_one(&Record::Attempted {
                alert: alert.id.clone(),
                sink: slot.name.clone(),
                attempt: 0,
                outcome: if delivered { AttemptOutcome::Delivered } else { AttemptOutcome::Dead },
                status,
                response: response.clone(),
                request,
            })
            .await?;
        tested.push(Tested { sink: slot.name.clone(), delivered, status, response });
    }
    context.settle()?;
    Ok(tested)
}

/// An alert without an incident.
pub fn plain(context: &Context, alert_type: AlertType, summary: &str, drill: bool) -> Alert {
    Alert {
        id: String::new(),
        alert_type,
        at: context.now(),
        summary: summary.to_owned(),
        incident: None,
        sightings: Vec::new(),
        attack: Vec::new(),
        link: context.public_url.clone(),
        growth: None,
        gathered: Vec::new(),
        drill,
        revealed: Vec::new(),
        over: false,
    }
}
