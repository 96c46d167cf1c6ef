//! Looks at a source's lists again and again, and has every item that is new reported. What it has seen is remembered in one
//! piece with the canaries that were in it: after a crash nothing is missed, and nothing told twice.

use crate::sensors::{
    paste::{
        fetch::Fetcher,
        look::{Ended, Glass, Looked},
        position::Position,
        source::Source,
    },
    sensor::Reporter,
};
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
// A first failure may be anything: it is looked at again so soon before it is told.
const AGAIN: Duration = Duration::from_secs(5);

/// One source, as it is polled.
pub struct Poller {
    pub sensor: String,
    /// The source's name.
    pub name: String,
    pub source: Source,
    pub fetcher: Fetcher,
    pub every: Duration,
    /// Between two items, and two lists.
    pub pause: Duration,
    pub list_pause: Duration,
    pub item_limit: usize,
    /// What is asked for; one that is empty where the source's lists need none.
    pub domains: Vec<String>,
    pub query: String,
    pub reporter: Reporter,
    pub position: Position,
    pub tries: HashMap<String, u8>,
}

/// How a reading ended.
pub enum Reading {
    Done,
    /// The list was read, and nothing that it leads to.
    Without,
    Failed,
    Later(Option<Duration>),
}

impl Poller {
    /// Polls until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(recalled) = self.reporter.recalled(&self.sensor, &stop).await else { return Ok(()) };
        if let Some(remembered) = recalled {
            self.position = serde_json::from_value(remembered).unwrap_or_else(|_| {
                self.refuse("position_unreadable");
                Position::default()
            });
        }
        let (mut failures, mut failed) = (0u32, false);
        // Since when it asks to be left alone.
        let mut busy: Option<Instant> = None;
        loop {
            let Some(reading) = stop.run_until_cancelled(self.read()).await else { return Ok(()) };
            let wait = match reading {
                Reading::Done => {
                    (failures, failed, busy) = (0, false, None);
                    self.reporter.sees(&self.sensor, None);
                    self.every
                }
                Reading::Later(wait) => {
                    busy.get_or_insert_with(Instant::now);
                    wait.map_or_else(|| self.longer(&mut failures), |wait| wait.max(self.every))
                }
                Reading::Failed | Reading::Without if !failed => {
                    failed = true;
                    AGAIN.min(self.every)
                }
                Reading::Failed | Reading::Without => {
                    self.reporter.sees(&self.sensor, Some("the_site_cannot_be_read"));
                    self.longer(&mut failures)
                }
            };
            if stop.run_until_cancelled(self.rest(wait, busy)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// The wait after one more failure.
    fn longer(&self, failures: &mut u32) -> Duration {
        *failures = (*failures + 1).min(10);
        self.every.saturating_mul(1 << *failures).min(LONGEST_WAIT.max(self.every))
    }

    /// Waits; where the site has asked to be left alone for three times as long as it is usually left, that is told.
    async fn rest(&self, wait: Duration, busy: Option<Instant>) {
        let told = busy.map(|since| self.every.saturating_mul(3).saturating_sub(since.elapsed()));
        let told = told.filter(|told| *told <= wait);
        if let Some(told) = told {
            tokio::time::sleep(told).await;
            self.reporter.sees(&self.sensor, Some("the_site_asks_to_wait"));
        }
        tokio::time::sleep(wait.saturating_sub(told.unwrap_or_default())).await;
    }

    /// Reads every list once, and takes what is new.
    async fn read(&mut self) -> Reading {
        let (mut listed, mut without) = (HashSet::new(), false);
        // Of an unchanged list it is not known what is in it.
        let mut all = self.source.list.paging.is_none() && self.source.list.since.is_none();
        for (place, domain) in self.domains.clone().into_iter().enumerate() {
            if place > 0 {
                tokio::time::sleep(self.list_pause).await;
            }
            let known = self.position.lists.get(&domain).cloned().unwrap_or_default();
            let looked = {
                let glass = Glass {
                    source: &self.source,
                    fetcher: &self.fetcher,
                    domain: &domain,
                    query: &self.query,
                    pause: self.list_pause,
                };
                glass.look(&known, &self.position.known()).await
            };
            match looked {
                Looked::Found(look) => {
                    listed.extend(look.ids);
                    if look.cut {
                        self.refuse("list_cut");
                    }
                    match (self.take(&domain, look.new, look.place).await, look.ended) {
                        (Reading::Done, None) => {}
                        (Reading::Without, None) => without = true,
                        (Reading::Done | Reading::Without, Some(ended)) => return self.ended(ended),
                        (other, _) => return other,
                    }
                }
                Looked::Unchanged => all = false,
                Looked::Ended(ended) => return self.ended(ended),
            }
        }
        if all {
            self.position.forget_unlisted(&listed);
            self.tries.retain(|mark, _| listed.contains(mark));
        }
        if without { Reading::Without } else { Reading::Done }
    }

    fn ended(&self, ended: Ended) -> Reading {
        match ended {
            Ended::Later(wait) => Reading::Later(wait),
            Ended::Failed(reason) => self.failed(reason),
        }
    }

    /// Counts a reading that failed, under this reason.
    pub fn failed(&self, reason: &'static str) -> Reading {
        self.refuse(reason);
        tracing::warn!(sensor = %self.sensor, site = %self.fetcher.origin(), reason, "the source could not be read");
        Reading::Failed
    }

    /// Counts something that could not be taken.
    pub fn refuse(&self, reason: &'static str) {
        self.reporter.refused(&self.sensor, reason);
    }
}
