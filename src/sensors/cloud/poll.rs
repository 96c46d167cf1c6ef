//! Looks at a provider's log again and again. How far it has read is remembered in one piece with the canaries' logins that
//! were in it: after a crash nothing is missed and nothing told twice. Of everybody else's logins nothing is kept but marks.

use crate::{
    domain::sighting::Touch,
    sensors::{
        cloud::{
            Log,
            client::{Answer, Client},
            place::Place,
        },
        logins,
        sensor::{Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Where nothing is remembered, this much of what was before is read.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// While nothing is seen, the place is remembered so often.
const REMEMBERED: Duration = Duration::from_secs(600);
/// So many pages in a row that tell nothing new lead nowhere.
const IDLE_PAGES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// A first failure may be anything: it is looked at again so soon before it is told.
const AGAIN: Duration = Duration::from_secs(5);

/// One log, as it is polled.
pub struct Poller<L> {
    pub sensor: String,
    pub log: L,
    pub client: Client,
    pub every: Duration,
}

enum Look {
    Done,
    Failed(&'static str),
    Later(Option<Duration>),
}

#[async_trait]
impl<L: Log + 'static> Sensor for Poller<L> {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        Ok(Running { address: None, task: tokio::spawn(self.run(reporter, stop)) })
    }

    /// Whether the log is open to us.
    async fn probe(&self) -> anyhow::Result<()> {
        let origin = self.client.origin();
        let now = Timestamp::now();
        let address = self.log.address(now.saturating_sub(SignedDuration::from_mins(1)).unwrap_or(now));
        let address = address.ok_or_else(|| anyhow::anyhow!("{origin}: url is no address of a log"))?;
        match self.client.get(&address).await {
            Answer::Page(headers, body) => match self.log.page(&headers, &body) {
                Ok(_) => Ok(()),
                Err(why) => anyhow::bail!("{origin}: what it answers is no log ({why}): check url"),
            },
            Answer::Later(_) => Ok(()),
            Answer::Failed("not_allowed" | "no_token") => {
                anyhow::bail!("{origin}: the log is not open to us: check the account, its secret and its rights")
            }
            Answer::Failed(reason) => {
                anyhow::bail!("{origin}: the log cannot be read ({reason}): check url, network and allow_private")
            }
        }
    }
}

impl<L: Log> Poller<L> {
    async fn run(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(recalled) = reporter.recalled(&self.sensor, &stop).await else { return Ok(()) };
        let now = Timestamp::now();
        let mut place = recalled
            .and_then(|value| {
                let read = Place::read(value);
                if read.is_none() {
                    reporter.refused(&self.sensor, "position_unreadable");
                }
                read
            })
            .unwrap_or_else(|| Place::new(now.saturating_sub(BEFORE).unwrap_or(now)));
        let mut remembered = (place.clone(), Instant::now());
        let mut failures = 0u32;
        loop {
            // Broken off, it may hold what is not durable as if it were told: what was durable last counts then.
            let Some(look) = stop.run_until_cancelled(self.look(&mut place, &reporter)).await else { return Ok(()) };
            let wait = match look {
                Look::Done => {
                    failures = 0;
                    reporter.sees(&self.sensor, None);
                    self.every
                }
                Look::Later(wait) => {
                    reporter.refused(&self.sensor, "asked_to_wait");
                    failures = failures.saturating_add(1);
                    // To be asked to wait now and then is no failure.
                    if failures > 3 {
                        reporter.sees(&self.sensor, Some("the_provider_asks_to_wait"));
                    }
                    wait.unwrap_or_else(|| self.longer(failures))
                }
                Look::Failed(reason) => {
                    reporter.refused(&self.sensor, reason);
                    failures = failures.saturating_add(1);
                    if failures > 1 {
                        let provider = self.client.origin();
                        tracing::warn!(sensor = self.sensor, provider, reason, "the log of logins could not be read");
                        let told = match reason {
                            "not_allowed" | "no_token" => "the_log_is_not_open_to_us",
                            _ => "the_log_cannot_be_read",
                        };
                        reporter.sees(&self.sensor, Some(told));
                    }
                    if failures == 1 { AGAIN.min(self.every) } else { self.longer(failures) }
                }
            };
            if remembered.1.elapsed() >= REMEMBERED {
                self.remember(&place, &mut remembered, &reporter).await;
            }
            if stop.run_until_cancelled(sleep(wait)).await.is_none() {
                break;
            }
        }
        self.remember(&place, &mut remembered, &reporter).await;
        Ok(())
    }

    fn longer(&self, failures: u32) -> Duration {
        self.every.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT.max(self.every))
    }

    async fn remember(&self, place: &Place, remembered: &mut (Place, Instant), reporter: &Reporter) {
        if remembered.0 == *place {
            return;
        }
        match reporter.remember(&self.sensor, place.written()).await {
            Ok(()) => *remembered = (place.clone(), Instant::now()),
            Err(_) => reporter.refused(&self.sensor, "not_durable"),
        }
    }

    /// Reads all that is new, page by page.
    async fn look(&self, place: &mut Place, reporter: &Reporter) -> Look {
        let began = Timestamp::now();
        let Some(mut address) = self.log.address(place.since()) else { return Look::Failed("strange_address") };
        let (mut asked, mut idle) = (HashSet::new(), 0);
        loop {
            let (headers, body) = match self.client.get(&address).await {
                Answer::Page(headers, body) => (headers, body),
                Answer::Later(wait) => return Look::Later(wait),
                Answer::Failed(reason) => return Look::Failed(reason),
            };
            let page = match self.log.page(&headers, &body) {
                Ok(page) => page,
                Err(_) => return Look::Failed("no_log"),
            };
            let fresh = self.fresh(page.events, place, reporter);
            idle = if fresh.is_empty() { idle + 1 } else { 0 };
            self.report(fresh, place, reporter).await;
            asked.insert(address.to_string());
            sleep(self.log.pause(&headers, Timestamp::now())).await;
            match page.next {
                None => break,
                // A provider that leads in circles.
                Some(next) if idle >= IDLE_PAGES || asked.contains(next.as_str()) => {
                    return Look::Failed("paging_leads_nowhere");
                }
                Some(next) => address = next,
            }
        }
        place.looked(self.log.overlap(), began);
        Look::Done
    }

    /// The events that were not told yet.
    fn fresh(&self, events: Vec<Value>, place: &mut Place, reporter: &Reporter) -> Vec<Value> {
        let mut fresh = Vec::new();
        for event in events {
            let marked = self.log.mark(&event).and_then(|(id, at)| Some((id, at.parse::<Timestamp>().ok()?)));
            match marked {
                Some((id, at)) => {
                    if place.take(id, at) {
                        fresh.push(event);
                    }
                }
                None => reporter.refused(&self.sensor, "unmarked"),
            }
        }
        fresh
    }

    async fn report(&self, events: Vec<Value>, place: &Place, reporter: &Reporter) {
        if events.is_empty() {
            return;
        }
        let origin = self.client.origin();
        let parsed =
            logins::parse(&Value::Array(events).to_string().into_bytes(), &origin, Timestamp::now(), &TimeZone::UTC);
        let named = |mut touch: Touch| {
            touch.sensor = self.sensor.clone();
            if touch.service.is_empty() {
                touch.service = self.log.name().to_owned();
            }
            touch
        };
        let touches: Vec<Touch> = parsed.touches.into_iter().map(named).collect();
        // What is told of besides logins is no fault.
        parsed.refused.iter().filter(|refused| !refused.known).for_each(|_| reporter.refused(&self.sensor, "no_login"));
        if touches.is_empty() {
            return;
        }
        let position = place.written();
        // The provider keeps what cannot be made durable now.
        while reporter.observe_all(&self.sensor, touches.clone(), position.clone()).await.is_err() {
            reporter.refused(&self.sensor, "not_durable");
            sleep(PATIENCE).await;
        }
    }
}
