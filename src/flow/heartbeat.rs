//! That Telltale lives, told by itself: once a day a marked test alert through every sink, and all the while a ping to an
//! address of the operator's, whose silence is the alarm. It says nothing while the house cannot do its work.

use crate::{
    domain::{alert::AlertType, incident::Incident, placement::State, record::Record, secret::Secret},
    flow::{
        context::{Context, blocking},
        error::FlowError,
        notify,
    },
};
use ipnet::IpNet;
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use url::Url;
use webhooks::{Client, Guard, Method};

/// How often it looks whether the day's alert is due.
const LOOK: Duration = Duration::from_secs(1);
/// How long the disk may take for something small, and how long a touch may wait for its judgement or an alert for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// Incidents that are looked through for those of the last day.
const RECENT: usize = 1_000;

/// What is told, and when.
pub struct Heartbeat {
    /// The hour of the daily alert, in the organisation's time.
    pub daily: Option<Time>,
    pub ping: Option<Ping>,
}

/// An address that wants to hear of us.
pub struct Ping {
    url: Url,
    client: Client,
    method: Method,
    every: Duration,
}

impl Ping {
    /// One to this address.
    ///
    /// # Errors
    /// The address is none; it is not repeated.
    pub fn new(address: &Secret, method: Method, every: Duration, allow_private: Vec<IpNet>) -> Result<Ping, String> {
        let url = Url::parse(address.reveal().trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| "expected an http:// or https:// address".to_owned())?;
        Ok(Ping { url, client: Client::new(Guard::new(allow_private), None), method, every })
    }

    /// Tells it that all is well.
    async fn send(&self) -> Result<(), String> {
        let answer = self.client.send(self.method, &self.url, &[], Vec::new()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(format!("it answered {}", answer.status)) }
    }

    /// Connects and sends nothing: for `check`.
    pub async fn probe(&self) -> Result<String, String> {
        self.client.probe(&self.url).await.map_err(|error| error.to_string())?;
        Ok(format!("{} was reached", self.url.host_str().unwrap_or_default()))
    }
}

/// Sends the daily alert in its hour, until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tell(&context).await {
            tracing::error!(%error, "the daily test alert could not be made yet");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Pings until told to stop.
pub async fn ping(context: Arc<Context>, stop: CancellationToken) {
    let Some(ping) = context.heartbeat.ping.as_ref().filter(|_| !context.drill) else { return };
    while !context.ready.load(Ordering::Acquire) && !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut failing = false;
    let mut pace = tokio::time::interval(ping.every);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            () = stop.cancelled() => return,
        }
        let told = match is_well(&context).await {
            Ok(true) => ping.send().await,
            Ok(false) => Err("it is not sent: Telltale cannot do its work".to_owned()),
            Err(error) => Err(format!("it is not sent: {error}")),
        };
        metrics::gauge!("telltale_ping_failing").set(if told.is_ok() { 0.0 } else { 1.0 });
        if let Err(why) = &told
            && !failing
        {
            tracing::error!("no heartbeat for [heartbeat] ping: {why}");
        }
        failing = told.is_err();
    }
}

/// Whether touches are kept and recognised, are judged and told of in time, and there is a sink that takes alerts.
pub async fn is_well(context: &Context) -> Result<bool, FlowError> {
    let sees =
        context.ready.load(Ordering::Acquire) && !context.blind.load(Ordering::Acquire) && !context.journal.stopped();
    if !sees {
        return Ok(false);
    }
    // That nothing was lost yet says nothing of a disk that is full, or hangs, while nobody comes. The journal's own thread
    // writes its checkpoint as a new file and syncs it: no entry is needed for that.
    if !matches!(tokio::time::timeout(PATIENCE, context.journal.checkpoint()).await, Ok(Ok(_))) {
        return Ok(false);
    }
    context.settle()?;
    blocking(|| {
        let failing = failing(context)?;
        Ok((context.sinks.is_empty() || failing.len() < context.sinks.len()) && keeps_up(context, &failing)?)
    })
}

/// Whether no touch waits for its judgement, and no alert for an attempt at a sink that takes any.
fn keeps_up(context: &Context, failing: &[&str]) -> Result<bool, FlowError> {
    let late = |since: Timestamp| context.now().duration_since(since) > LATE;
    if context.ledger.unjudged(&context.journal, 1)?.iter().any(|sighting| late(sighting.received_at)) {
        return Ok(false);
    }
    for slot in context.sinks.iter().filter(|slot| !failing.contains(&slot.name.as_str())) {
        // What a digest will gather waits of its own accord.
        if notify::due_alone(context, slot, 1)?.iter().any(|due| late(due.next)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The sinks that take no alerts.
fn failing(context: &Context) -> Result<Vec<&str>, FlowError> {
    let mut found = Vec::new();
    for slot in &context.sinks {
        let health = context.ledger.health(&slot.name)?;
        if health.out_since(context.now(), slot.sink.options().failing_after).is_some() {
            found.push(slot.name.as_str());
        }
    }
    Ok(found)
}

/// Raises the daily alert if it is due. Answers whether it was.
pub async fn tell(context: &Context) -> Result<bool, FlowError> {
    let Some(daily) = context.heartbeat.daily.filter(|_| !context.drill) else { return Ok(false) };
    let last = context.ledger.heartbeat()?.unwrap_or(context.began);
    if !is_due(context.now(), &context.time_zone, daily, last) {
        return Ok(false);
    }
    let slots = context.sinks.iter().filter(|slot| slot.sink.options().heartbeat);
    let sinks = slots.map(|slot| slot.name.clone()).collect();
    let summary = blocking(|| summary(context))?;
    let alert = notify::plain(context, AlertType::SinkTest, &summary, true);
    context.append_one(&Record::AlertRaised { alert, sinks, by: "telltale".to_owned() }).await?;
    context.settle()?;
    context.due.notify_waiters();
    Ok(true)
}

/// Whether the hour has come since the last one.
fn is_due(now: Timestamp, zone: &TimeZone, daily: Time, last: Timestamp) -> bool {
    let today = zone.to_datetime(now).date();
    let hour = |date: Date| zone.to_timestamp(date.to_datetime(daily)).ok();
    let days = [Some(today), today.yesterday().ok()];
    days.into_iter().flatten().filter_map(hour).find(|at| *at <= now).is_some_and(|at| at > last)
}

/// What a quiet day looks like, and what not.
fn summary(context: &Context) -> Result<String, FlowError> {
    let planted = |row: &&crate::ledger::placements::PlacementRow| row.placement.state == State::Planted;
    let canaries = context.ledger.placements(None)?.iter().filter(planted).count();
    let (recent, _) = context.ledger.incidents(None, RECENT)?;
    let yesterday = context.now().checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let fresh = |incident: &&Incident| incident.opened_at >= yesterday && !incident.drill;
    let opened = recent.iter().filter(fresh).count();
    let counted = |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let mut text = format!(
        "Daily test: Telltale runs and reaches this sink. {} in {}, watched by {}; {} in the last 24 hours",
        counted(canaries, "canary stands", "canaries stand"),
        counted(context.stores.len(), "store", "stores"),
        counted(context.sensors.len(), "sensor", "sensors"),
        counted(opened, "incident opened", "incidents opened"),
    );
    let blind = context.sightless();
    if !blind.is_empty() {
        text.push_str(&format!("; sensors that cannot do their work: {}", blind.join(", ")));
    }
    let failing = failing(context)?;
    if !failing.is_empty() {
        text.push_str(&format!("; sinks that take nothing: {}", failing.join(", ")));
    }
    Ok(text + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_comes_once_a_day_also_where_clocks_change() {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let due = |now: &str, last: &str| {
            is_due(now.parse().unwrap(), &zone, Time::constant(2, 30, 0, 0), last.parse().unwrap())
        };
        assert!(!due("2026-11-27T01:29:59Z", "2026-11-26T01:30:00Z"));
        assert!(due("2026-11-27T01:30:00Z", "2026-11-26T01:30:00Z"));
        assert!(!due("2026-11-27T01:30:01Z", "2026-11-27T01:30:00Z"));
        assert!(due("2026-11-29T00:00:00Z", "2026-11-27T01:30:00Z"), "it was down in that hour: made up for");
        // The hour that does not exist in spring, and exists twice in autumn.
        assert!(due("2026-03-29T01:30:00Z", "2026-03-28T01:30:00Z"));
        assert!(due("2026-10-25T00:30:00Z", "2026-10-24T00:30:00Z"));
        assert!(!due("2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"), "once, though the clock shows it twice");
        // A clock that goes back repeats nothing.
        assert!(!due("2026-11-26T01:30:00Z", "2026-11-27T01:30:00Z"));
    }
}
