//! What a sink gets gathered: alerts of incidents below a severity wait for its digest, which goes out when the first of them
//! has waited as long as the sink says. They stay in the outbox, each for itself, until the receiver has the digest.

use crate::{
    domain::{
        alert::{Alert, AlertType, Gathered},
        incident::Severity,
    },
    flow::{
        context::{Context, SinkSlot},
        error::FlowError,
        notify,
    },
    ledger::outbox::Due,
};
use jiff::SignedDuration;
use std::{collections::BTreeSet, time::Duration};

/// At most so many due alerts are looked at; when half as many wait for a digest, it goes out early.
pub const LOOKED_AT: usize = 2_000;

/// What is due, parted: what leaves now by itself, and what makes the digest that is due, if one is.
pub type Parted = (Vec<Due>, Vec<(Due, Alert)>);

/// Parts what is due at a sink with a digest.
pub fn part(context: &Context, slot: &SinkSlot, due: Vec<Due>, window: Duration) -> Result<Parted, FlowError> {
    let immediate = slot.sink.options().immediate.unwrap_or(Severity::High);
    let (mut now, mut held) = (Vec::new(), Vec::new());
    for due in due {
        let alert = context.ledger.alert(&context.journal, &due.alert)?;
        let waits = |alert: &Alert| alert.incident.as_ref().is_some_and(|incident| incident.severity < immediate);
        match alert.filter(waits) {
            Some(alert) => held.push((due, alert)),
            None => now.push(due),
        }
    }
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let Some(first) = held.iter().map(|(_, alert)| alert.at).min() else { return Ok((now, held)) };
    // A clock that was put back holds nothing up.
    let passed = context.now().duration_since(first);
    if passed.is_negative() || passed >= window || held.len() >= LOOKED_AT / 2 {
        // The same alerts again if it has to be tried again: what came later waits for the next.
        held.retain(|(_, alert)| alert.at.duration_since(first) < window);
        held.sort_by(|(_, one), (_, other)| {
            (one.at, one.id.len(), &one.id).cmp(&(other.at, other.id.len(), &other.id))
        });
        held.truncate(LOOKED_AT / 2);
        return Ok((now, held));
    }
    Ok((now, Vec::new()))
}

/// Makes one attempt with this digest.
pub async fn send(context: &Context, slot: &SinkSlot, gathered: Vec<(Due, Alert)>) -> Result<(), FlowError> {
    let (due, alerts): (Vec<Due>, Vec<Alert>) = gathered.into_iter().unzip();
    let Some(attempt) = due.iter().map(|due| due.attempt).max() else { return Ok(()) };
    let outcome = slot.sink.send(&digest(context, &alerts)).await;
    notify::record(context, slot, due, notify::judged(slot, outcome, attempt)).await
}

/// One alert that stands for these. Its id follows from theirs.
fn digest(context: &Context, alerts: &[Alert]) -> Alert {
    let gathered: Vec<Gathered> = alerts.iter().filter_map(one).collect();
    let ids: Vec<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    let incidents: BTreeSet<&str> = gathered.iter().map(|one| one.incident.as_str()).collect();
    let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let summary = format!("{} about {}", counted(alerts.len(), "alert"), counted(incidents.len(), "incident"));
    let attack: BTreeSet<String> = alerts.iter().flat_map(|alert| alert.attack.iter().cloned()).collect();
    let drill = alerts.iter().all(|alert| alert.drill);
    let at = alerts.iter().map(|alert| alert.at).max().unwrap_or_else(|| context.now());
    Alert {
        id: format!("d-{}", &blake3::hash(ids.join(",").as_bytes()).to_hex()[..16]),
        attack: attack.into_iter().collect(),
        at,
        gathered,
        ..notify::plain(context, AlertType::IncidentDigest, &summary, drill)
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
