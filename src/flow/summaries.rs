//! What an open incident grew by since it was told last: a summary after a minute, ten minutes, an hour, and then once a
//! day, however many touches there are. News, which the judge tells at once, begins anew with the minute.

use crate::{
    domain::{
        alert::{AlertType, Growth},
        incident::State,
        record::Record,
        sighting::Sighting,
    },
    flow::{
        context::{Context, blocking},
        error::FlowError,
        judge, route,
    },
    ledger::growth::Pace,
};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// From one alert to the next: a minute, ten minutes and an hour after the news; then each day.
const GAPS: [SignedDuration; 4] =
    [SignedDuration::from_mins(1), SignedDuration::from_mins(9), SignedDuration::from_mins(50), DAY];
/// The last sightings that ride on a summary.
const SHOWN: usize = 10;

/// Looks until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tell(&context).await {
            tracing::error!(%error, "what incidents grew by could not be told yet");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Tells of every incident whose summary is due. Answers how many there were.
pub async fn tell(context: &Context) -> Result<usize, FlowError> {
    if !context.ledger.grown()?.iter().any(|(_, pace)| is_due(pace, context.now())) {
        return Ok(0);
    }
    let _alone = context.judging.lock().await;
    context.settle()?;
    let mut records = Vec::new();
    for (id, pace) in context.ledger.grown()? {
        if is_due(&pace, context.now()) {
            records.extend(blocking(|| summary(context, &id, &pace))?);
        }
    }
    context.append(&records).await?;
    context.settle()?;
    context.due.notify_waiters();
    Ok(records.len())
}

/// Whether it is time. A clock that was put back holds nothing up.
fn is_due(pace: &Pace, now: Timestamp) -> bool {
    let gap = GAPS[GAPS.len().min(pace.step as usize + 1) - 1];
    let passed = now.duration_since(pace.at);
    passed.is_negative() || passed >= gap
}

fn summary(context: &Context, id: &str, pace: &Pace) -> Result<Option<Record>, FlowError> {
    let Some(incident) = context.ledger.incident(id)?.filter(|incident| incident.state != State::Closed) else {
        return Ok(None);
    };
    let (first, last) = context.ledger.ends(id, SHOWN)?;
    let mut shown: Vec<Sighting> = Vec::new();
    for seq in last {
        shown.extend(context.ledger.sighting(&context.journal, seq)?);
    }
    let opening = first.map(|seq| context.ledger.sighting(&context.journal, seq)).transpose()?.flatten();
    let more = incident.sightings.saturating_sub(pace.sightings);
    // After two quiet days a new rush is told as closely as the first.
    let rested = context.now().duration_since(pace.at) >= DAY * 2;
    let growth = Growth {
        since: pace.at,
        sightings: more,
        first: first.unwrap_or(0),
        first_at: opening.map_or(incident.opened_at, |sighting| sighting.received_at),
        last: shown.last().map_or(0, |sighting| sighting.id),
        last_at: shown.last().map_or(incident.updated_at, |sighting| sighting.received_at),
        step: if rested { 0 } else { pace.step.saturating_add(1) },
    };
    let mut alert = judge::alert(context, AlertType::IncidentUpdated, &incident, &shown);
    let sightings = if more == 1 { "sighting" } else { "sightings" };
    let at = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    alert.summary = format!(
        "{}. {more} more {sightings} since {}, {} in all; the first at {}, the last at {}",
        alert.summary,
        at(growth.since),
        incident.sightings,
        at(growth.first_at),
        at(growth.last_at)
    );
    alert.growth = Some(growth);
    let sinks = route::sinks(context, &incident, &shown)?;
    let judged = context.ledger.judged()?;
    let (joined, by) = (Vec::new(), "telltale".to_owned());
    Ok(Some(Record::IncidentMoved { incident, judged, joined, alert: Some(alert), sinks, by }))
}
