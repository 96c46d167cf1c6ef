//! What a sink gets gathered: alerts of incidents below a severity wait for its digest, which goes out when the first of them
//! has waited as long as the sink says. They stay in the outbox, each for itself, until the receiver has the digest. It never
//! holds up what leaves by itself, and the news that a store leaked never waits.

use crate::{
    domain::{
        alert::{Alert, AlertType, Gathered},
        incident::Severity,
        verdict::Outcome,
    },
    flow::{
        context::{Context, SinkSlot, blocking},
        error::FlowError,
        notify,
    },
    ledger::outbox::Due,
    sinks::shape::sent::noting,
};
use jiff::SignedDuration;
use std::{collections::BTreeSet, time::Duration};

/// At most so many alerts make one digest; when so many wait, it goes out early.
const MOST: usize = 1_000;
/// So many due alerts are read at once.
const PAGE: usize = 500;

/// How long to wait before it is asked again whether a digest is due at this sink; nothing where it has none.
pub fn pause(slot: &SinkSlot) -> Option<Duration> {
    let window = slot.sink.options().digest?;
    Some((window / 20).clamp(Duration::from_secs(1), Duration::from_secs(30)))
}

/// What leaves by itself of what is due at a sink with a digest, however much waits before it; at most so many.
pub fn urgent(context: &Context, slot: &SinkSlot, most: usize) -> Result<Vec<Due>, FlowError> {
    let mut urgent = Vec::new();
    each_due(context, slot, |due, waiting| {
        if waiting.is_none() {
            urgent.push(due);
        }
        urgent.len() < most
    })?;
    Ok(urgent)
}

/// Sends the digest that is due at this sink, if one is; answers how many alerts it stands for.
pub async fn deliver(context: &Context, slot: &SinkSlot) -> Result<usize, FlowError> {
    let Some(window) = slot.sink.options().digest else { return Ok(0) };
    context.settle()?;
    let gathered = blocking(|| gather(context, slot, window))?;
    let count = gathered.len();
    send(context, slot, gathered).await?;
    Ok(count)
}

/// The alerts of the digest that is due, oldest first; none while they have time.
fn gather(context: &Context, slot: &SinkSlot, window: Duration) -> Result<Vec<(Due, Alert)>, FlowError> {
    let mut held = Vec::new();
    each_due(context, slot, |due, waiting| {
        held.extend(waiting.map(|alert| (due, alert)));
        held.len() < MOST
    })?;
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let Some(first) = held.iter().map(|(_, alert)| alert.at).min() else { return Ok(held) };
    let (many, passed) = (held.len() >= MOST, context.now().duration_since(first));
    // A clock that was put back holds nothing up.
    if !many && !passed.is_negative() && passed < window {
        return Ok(Vec::new());
    }
    if !many {
        // The same alerts again if it has to be tried again: what came later waits for the next.
        held.retain(|(_, alert)| alert.at.duration_since(first) < window);
    }
    held.sort_by(|(_, one), (_, other)| (one.at, one.id.len(), &one.id).cmp(&(other.at, other.id.len(), &other.id)));
    Ok(held)
}

/// Shows what is due at a sink, each with its alert if that waits for a digest, until told to end.
fn each_due(
    context: &Context,
    slot: &SinkSlot,
    mut visit: impl FnMut(Due, Option<Alert>) -> bool,
) -> Result<(), FlowError> {
    let immediate = slot.sink.options().immediate.unwrap_or(Severity::High);
    let (now, mut last) = (context.now(), None);
    loop {
        let page = context.ledger.due_after(&slot.name, now, last.as_ref(), PAGE)?;
        let over = page.len() < PAGE;
        last = page.last().cloned();
        for due in page {
            // One that cannot be read fails by itself, and holds up no other.
            let alert = context.ledger.alert(&context.journal, &due.alert).unwrap_or_default();
            if !visit(due, alert.filter(|alert| waits(alert, immediate))) {
                return Ok(());
            }
        }
        if over {
            return Ok(());
        }
    }
}

/// Whether an alert may wait: never a test or a rehearsal's, nor what is severe, nor the news that a store leaked.
fn waits(alert: &Alert, immediate: Severity) -> bool {
    let Some(incident) = &alert.incident else { return false };
    let attributed = incident.attribution.verdict == Outcome::Attributed;
    incident.severity < immediate && !attributed && !alert.drill && !incident.drill
}

/// Makes one attempt with this digest.
async fn send(context: &Context, slot: &SinkSlot, gathered: Vec<(Due, Alert)>) -> Result<(), FlowError> {
    let (due, alerts): (Vec<Due>, Vec<Alert>) = gathered.into_iter().unzip();
    let Some(attempt) = due.iter().map(|due| due.attempt).max() else { return Ok(()) };
    let (outcome, request) = noting(slot.sink.options().reveal, slot.sink.send(&digest(context, &alerts))).await;
    notify::record(context, slot, vec![(due, notify::judged(slot, outcome, attempt), request)]).await
}

/// One alert that stands for these. Its id follows from theirs.
fn digest(context: &Context, alerts: &[Alert]) -> Alert {
    let gathered: Vec<Gathered> = alerts.iter().filter_map(one).collect();
    let ids: Vec<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    let incidents: BTreeSet<&str> = gathered.iter().map(|one| one.incident.as_str()).collect();
    let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let summary = format!("{} about {}", counted(alerts.len(), "alert"), counted(incidents.len(), "incident"));
    let attack: BTreeSet<String> = alerts.iter().flat_map(|alert| alert.attack.iter().cloned()).collect();
    let at = alerts.iter().map(|alert| alert.at).max().unwrap_or_else(|| context.now());
    Alert {
        id: format!("d-{}", &blake3::hash(ids.join(",").as_bytes()).to_hex()[..16]),
        attack: attack.into_iter().collect(),
        at,
        gathered,
        ..notify::plain(context, AlertType::IncidentDigest, &summary, false)
    }
}

fn one(alert: &Alert) -> Option<Gathered> {
    let incident = alert.incident.as_ref()?;
    Some(Gathered {
        alert: alert.id.clone(),
        alert_type: alert.alert_type,
        at: alert.at,
        incident: incident.id.clone(),
        severity: incident.severity,
        summary: alert.summary.clone(),
    })
}
