//! How alerts fared at each sink, for people: what waits, what arrived, what was given up and why; and sending again.

use crate::{
    domain::{
        alert::AlertType,
        record::{Actor, AttemptOutcome, Record},
    },
    flow::{
        context::{Context, listed},
        error::FlowError,
        notify,
    },
    ledger::state::LedgerError,
};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Deliveries of one record.
const BATCH: usize = 1000;

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is tried, or tried again, when its time comes.
    Waiting,
    Delivered,
    /// Given up: a dead letter, until somebody replays it.
    Dead,
}

/// One alert at one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The alert's id: what receivers know it by.
    pub alert: String,
    #[serde(rename = "type")]
    pub alert_type: AlertType,
    pub incident: Option<String>,
    pub at: Timestamp,
    pub sink: String,
    pub state: State,
    pub attempts: u64,
    pub last_attempt: Option<Timestamp>,
    pub next_attempt: Option<Timestamp>,
    /// The receiver's status code, at the last attempt.
    pub status: Option<u16>,
    /// Why the last attempt failed, redacted; none where it did not.
    pub last_error: Option<String>,
    /// What the last attempt sent: to whom, how much, and its digest.
    pub last_request: Option<String>,
    /// The sink that it was handed over to while this one fails.
    pub handed_to: Option<String>,
}

/// How a sink fares, and what it owes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinkState {
    pub sink: String,
    pub failing_since: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub then: Option<String>,
    pub standby: bool,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub sink: Option<String>,
    /// Only what was given up, or waits after a failure.
    pub failed: bool,
    /// Only from before this alert on.
    pub before: Option<String>,
    pub limit: usize,
}

/// Deliveries, the newest alert first; and the cursor of the next page. An alert is never split between two pages.
pub fn list(context: &Context, wanted: &Wanted) -> Result<(Vec<Delivery>, Option<String>), FlowError> {
    known(context, wanted.sink.as_deref())?;
    let mut alerts: Vec<String> = Vec::new();
    if wanted.failed {
        let number = |id: &str| id.rsplit('-').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        let dead = context.ledger.dead_letters()?.into_iter().map(|letter| letter.alert);
        let waiting = context.ledger.troubled()?.into_iter().map(|due| due.alert);
        let mut ids: Vec<String> = dead.chain(waiting).collect::<BTreeSet<_>>().into_iter().collect();
        ids.sort_by_key(|id| std::cmp::Reverse(number(id)));
        ids.retain(|id| wanted.before.as_deref().is_none_or(|before| number(id) < number(before)));
        alerts = ids;
    }
    let mut found = Vec::new();
    let mut next = None;
    let mut last: Option<String> = None;
    let mut take = |id: &str| -> Result<bool, FlowError> {
        if found.len() >= wanted.limit {
            next = last.clone();
            return Ok(false);
        }
        let fits = |delivery: &Delivery| {
            wanted.sink.as_ref().is_none_or(|sink| *sink == delivery.sink)
                && (!wanted.failed || delivery.state == State::Dead || delivery.last_error.is_some())
        };
        found.extend(of_alert(context, id)?.into_iter().filter(fits));
        last = Some(id.to_owned());
        Ok(true)
    };
    if wanted.failed {
        for id in &alerts {
            if !take(id)? {
                break;
            }
        }
    } else {
        let mut failed = None;
        context.ledger.each_alert(wanted.before.as_deref(), |id| match take(id) {
            Ok(go_on) => go_on,
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok((found, next))
}

/// How every configured sink fares.
pub fn sinks(context: &Context) -> Result<Vec<SinkState>, FlowError> {
    let state = |slot: &crate::flow::context::SinkSlot| {
        let health = context.ledger.health(&slot.name)?;
        Ok(SinkState {
            sink: slot.name.clone(),
            failing_since: health.failing_since,
            delivered_at: health.delivered_at,
            then: slot.sink.options().then.clone(),
            standby: slot.standby,
        })
    };
    context.sinks.iter().map(state).collect()
}

/// One alert at every sink that it was for.
pub fn of_alert(context: &Context, id: &str) -> Result<Vec<Delivery>, FlowError> {
    let Some(alert) = context.ledger.alert(&context.journal, id)? else { return Ok(Vec::new()) };
    let blank = |sink: &str| Delivery {
        alert: id.to_owned(),
        alert_type: alert.alert_type,
        incident: alert.incident.as_ref().map(|incident| incident.id.clone()),
        at: alert.at,
        sink: sink.to_owned(),
        state: State::Waiting,
        attempts: 0,
        last_attempt: None,
        next_attempt: None,
        status: None,
        last_error: None,
        last_request: None,
        handed_to: None,
    };
    let mut found: BTreeMap<String, Delivery> = BTreeMap::new();
    for made in context.ledger.attempts(id)? {
        let delivery = found.entry(made.sink.clone()).or_insert_with(|| blank(&made.sink));
        delivery.attempts += 1;
        delivery.last_attempt = Some(made.at);
        delivery.status = made.status;
        let delivered = made.outcome == AttemptOutcome::Delivered;
        delivery.state = if delivered { State::Delivered } else { State::Waiting };
        delivery.last_request = request(context, made.seq)?;
        delivery.last_error = match delivered {
            true => None,
            false => context.ledger.response(&context.journal, made.seq)?,
        };
    }
    for due in context.ledger.due_of(id)? {
        let delivery = found.entry(due.sink.clone()).or_insert_with(|| blank(&due.sink));
        delivery.state = State::Waiting;
        delivery.next_attempt = Some(due.next);
        delivery.handed_to = due.handed_to;
    }
    for letter in context.ledger.dead_of(id)? {
        if let Some(delivery) = found.get_mut(&letter.sink) {
            delivery.state = State::Dead;
        }
    }
    Ok(found.into_values().collect())
}

/// What the attempt of this entry sent.
fn request(context: &Context, seq: u64) -> Result<Option<String>, FlowError> {
    let entry = context.journal.get(seq).map_err(LedgerError::from)?;
    Ok(match entry.and_then(|entry| entry.record.ok()) {
        Some(Record::Attempted { request, .. }) => request,
        _ => None,
    })
}

/// What is to be sent again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Alerts from then on; may be left out where `alerts` names some.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Only at this sink; at each that they were for where absent.
    #[serde(default)]
    pub sink: Option<String>,
    /// Only these alerts; all where empty.
    #[serde(default)]
    pub alerts: Vec<String>,
}

/// Sends alerts once more to the sinks that they were for, under their own ids, whether they arrived or not. Under
/// `serve` they leave in the background, else now. Answers how each stands.
pub async fn replay(context: &Context, again: &Again, by: Actor) -> Result<Vec<Delivery>, FlowError> {
    known(context, again.sink.as_deref())?;
    if again.since.is_none() && again.alerts.is_empty() {
        return Err(FlowError::Refused("say since when, or name alerts: nothing is replayed otherwise".to_owned()));
    }
    let mut chosen: Vec<(String, String)> = Vec::new();
    for id in alerts(context, again)? {
        let sinks = of_alert(context, &id)?.into_iter().map(|delivery| delivery.sink);
        let wanted = sinks.filter(|sink| again.sink.as_ref().is_none_or(|only| only == sink));
        // A sink that is configured no more has nowhere to send to.
        let there = wanted.filter(|sink| context.sinks.iter().any(|slot| slot.name == *sink));
        chosen.extend(there.map(|sink| (id.clone(), sink)));
    }
    for deliveries in chosen.chunks(BATCH) {
        let deliveries = deliveries.to_vec();
        context.append_one(&Record::Replayed { deliveries, by: by.clone() }).await?;
    }
    context.settle()?;
    if context.delivers() {
        context.due.notify_waiters();
    } else {
        for slot in context.sinks.iter().filter(|slot| chosen.iter().any(|(_, sink)| *sink == slot.name)) {
            while notify::deliver_due(context, slot).await? > 0 {}
        }
    }
    let mut deliveries = Vec::new();
    for (alert, sink) in chosen {
        deliveries.extend(of_alert(context, &alert)?.into_iter().filter(|delivery| delivery.sink == sink));
    }
    Ok(deliveries)
}

/// The alerts that a replay is about, the oldest first. A test is sent again only where it is named.
fn alerts(context: &Context, again: &Again) -> Result<Vec<String>, FlowError> {
    let mut found = Vec::new();
    if !again.alerts.is_empty() {
        for id in &again.alerts {
            let alert = context.ledger.alert(&context.journal, id)?;
            let alert = alert.ok_or_else(|| FlowError::Unknown(format!("no alert has the id {id:?}")))?;
            if again.since.is_none_or(|since| alert.at >= since) && !found.contains(id) {
                found.push(id.clone());
            }
        }
        return Ok(found);
    }
    let since = again.since.unwrap_or(Timestamp::MIN);
    // A clock that was put back leaves later alerts with earlier times.
    let over = since.checked_sub(24.hours()).unwrap_or(Timestamp::MIN);
    let mut ids = Vec::new();
    let mut failed = None;
    context.ledger.each_alert(None, |id| match context.ledger.alert(&context.journal, id) {
        Ok(Some(alert)) => {
            if alert.at >= since && alert.alert_type != AlertType::SinkTest {
                ids.push(id.to_owned());
            }
            alert.at >= over
        }
        Ok(None) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    ids.reverse();
    Ok(ids)
}

fn known(context: &Context, sink: Option<&str>) -> Result<(), FlowError> {
    let names: Vec<&str> = context.sinks.iter().map(|slot| slot.name.as_str()).collect();
    match sink {
        Some(sink) if !names.contains(&sink) => {
            Err(FlowError::Unknown(format!("no sink is called {sink:?}; configured are: {}", listed(&names))))
        }
        _ => Ok(()),
    }
}
