//! Reads a site's list again and again, and reports every item that is new. What it has seen is remembered after it
//! was reported: a crash repeats an item and loses none.

use crate::{
    domain::sighting::{Class, Touch},
    sensors::{
        paste::{
            fetch::{Answer, Fetcher, Version},
            listing::{self, Listed},
            source::Source,
        },
        request::EVIDENCE_LIMIT,
        sensor::Reporter,
    },
};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const LIST_LIMIT: usize = 10 * 1024 * 1024;
// Items of one reading; the rest has its turn at the next.
const PER_READING: usize = 500;
const REMEMBER_EVERY: usize = 50;
// An item that left the list is known for a while, should it come back.
const UNLISTED_KEPT: usize = 500;
const TRIES: u8 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
// A first failure may be anything: it is looked at again so soon before it is told.
const AGAIN: Duration = Duration::from_secs(5);

/// One site, as it is polled.
pub struct Poller {
    pub sensor: String,
    /// The source's name.
    pub name: String,
    pub source: Source,
    pub fetcher: Fetcher,
    pub every: Duration,
    pub pause: Duration,
    pub item_limit: usize,
    pub reporter: Reporter,
    pub position: Position,
    pub tries: HashMap<String, u8>,
}

/// What is remembered: no id in clear, for it may be a person's.
#[derive(Default, Serialize, Deserialize)]
pub struct Position {
    version: Version,
    seen: VecDeque<String>,
}

enum Reading {
    Done,
    Failed,
    Later(Option<Duration>),
}

impl Poller {
    /// Polls until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(recalled) = self.reporter.recalled(&self.sensor, &stop).await else { return Ok(()) };
        if let Some(remembered) = recalled {
            self.position = serde_json::from_value(remembered).unwrap_or_default();
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
                Reading::Failed if !failed => {
                    failed = true;
                    AGAIN.min(self.every)
                }
                Reading::Failed => {
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

    async fn read(&mut self) -> Reading {
        let mut listed: Vec<Listed> = Vec::new();
        let mut ids: HashSet<String> = HashSet::new();
        let paging = self.source.list.paging.clone();
        let pages = paging.as_ref().map_or(1, |paging| paging.pages.max(1));
        let mut version = Version::default();
        for page in 0..pages {
            let Some(mut address) = self.fetcher.address(&self.source.list.path, "") else { return Reading::Failed };
            if let Some(paging) = &paging {
                let number = paging.first + page * paging.step;
                address.query_pairs_mut().append_pair(&paging.query, &number.to_string());
            }
            // Only the first page says whether anything changed at all.
            let known = if page == 0 { self.position.version.clone() } else { Version::default() };
            let body = match self.fetcher.get(address, &known, LIST_LIMIT).await {
                Answer::Body { cut: true, .. } => return self.failed("list_too_large"),
                Answer::Body { bytes, version: answered, .. } => {
                    if page == 0 {
                        version = answered;
                    }
                    bytes
                }
                Answer::Unchanged => return Reading::Done,
                Answer::Gone if page > 0 => break,
                Answer::Gone => return self.failed("list_gone"),
                Answer::Later(wait) => return Reading::Later(wait),
                Answer::Failed(reason) => return self.failed(reason),
            };
            let found = match listing::items(&self.source.list, &body) {
                Ok(found) => found,
                Err(reason) => return self.failed(reason),
            };
            let before = ids.len();
            let known: HashSet<&String> = self.position.seen.iter().collect();
            let any_new = found.iter().any(|item| !known.contains(&mark(&item.id)));
            listed.extend(found.into_iter().filter(|item| ids.insert(mark(&item.id))));
            if ids.len() == before || !any_new || listed.len() >= listing::MOST {
                break;
            }
        }
        let whole = paging.is_none();
        let outcome = self.take(listed, version).await;
        if whole && matches!(outcome, Reading::Done) {
            self.forget_unlisted(&ids);
        }
        outcome
    }

    async fn take(&mut self, listed: Vec<Listed>, version: Version) -> Reading {
        let seen: HashSet<String> = self.position.seen.iter().cloned().collect();
        // Lists usually have the newest first: the oldest is taken first, so that order is kept.
        let mut new: Vec<Listed> = listed.into_iter().rev().filter(|item| !seen.contains(&mark(&item.id))).collect();
        let rest = new.len().saturating_sub(PER_READING);
        new.truncate(PER_READING);
        let mut left = rest > 0;
        let mut unremembered = 0;
        for item in new {
            let Some(address) = self.fetcher.address(&self.source.item.path, &item.id) else {
                self.refuse("hostile_id");
                self.seen(&item.id);
                continue;
            };
            match self.fetcher.get(address, &Version::default(), self.item_limit).await {
                Answer::Body { bytes, cut, .. } => {
                    if cut {
                        self.refuse("item_too_large");
                    }
                    match listing::content(&self.source.item, bytes) {
                        Ok(text) => {
                            if self.reporter.observe(self.touch(&item, text)).await.is_err() {
                                self.remember().await;
                                return self.failed("not_durable");
                            }
                        }
                        Err(reason) => self.refuse(reason),
                    }
                    self.seen(&item.id);
                }
                Answer::Gone => self.seen(&item.id),
                Answer::Later(wait) => {
                    self.remember().await;
                    return Reading::Later(wait);
                }
                Answer::Unchanged => self.refuse("unexpected_status"),
                Answer::Failed(reason) => {
                    self.refuse(reason);
                    left = true;
                    self.give_up_after_some_tries(&item.id);
                }
            }
            unremembered += 1;
            if unremembered % REMEMBER_EVERY == 0 {
                self.remember().await;
            }
            tokio::time::sleep(self.pause).await;
        }
        // With items left, the same list must be answered in full next time.
        let version = if left { Version::default() } else { version };
        if unremembered > 0 || version != self.position.version {
            self.position.version = version;
            self.remember().await;
        }
        Reading::Done
    }

    fn touch(&self, item: &Listed, text: Vec<u8>) -> Touch {
        let shown: String = item.id.chars().filter(|char| !char.is_control()).take(128).collect();
        Touch {
            sensor: self.sensor.clone(),
            reporter: self.fetcher.origin(),
            class: Class::Dump,
            at: item.at.unwrap_or_else(Timestamp::now),
            source_ip: None,
            service: format!("{}/{shown}", self.name),
            presented: Vec::new(),
            mail: None,
            evidence: text[..text.len().min(EVIDENCE_LIMIT)].to_vec(),
            text,
        }
    }

    fn give_up_after_some_tries(&mut self, id: &str) {
        let tries = self.tries.entry(mark(id)).or_default();
        *tries += 1;
        if *tries >= TRIES {
            self.refuse("item_given_up");
            self.seen(id);
        }
    }

    fn seen(&mut self, id: &str) {
        let mark = mark(id);
        self.tries.remove(&mark);
        self.position.seen.push_back(mark);
        if self.position.seen.len() > 2 * listing::MOST {
            self.position.seen.pop_front();
        }
    }

    fn forget_unlisted(&mut self, listed: &HashSet<String>) {
        let unlisted = self.position.seen.iter().filter(|mark| !listed.contains(*mark)).count();
        let mut surplus = unlisted.saturating_sub(UNLISTED_KEPT);
        self.position.seen.retain(|mark| {
            let forget = surplus > 0 && !listed.contains(mark);
            surplus -= usize::from(forget);
            !forget
        });
        self.tries.retain(|mark, _| listed.contains(mark));
    }

    async fn remember(&self) {
        let Ok(position) = serde_json::to_value(&self.position) else { return };
        if self.reporter.remember(&self.sensor, position).await.is_err() {
            self.refuse("not_durable");
        }
    }

    fn failed(&self, reason: &'static str) -> Reading {
        self.refuse(reason);
        tracing::warn!(sensor = %self.sensor, site = %self.fetcher.origin(), reason, "the paste site could not be read");
        Reading::Failed
    }

    fn refuse(&self, reason: &'static str) {
        self.reporter.refused(&self.sensor, reason);
    }
}

fn mark(id: &str) -> String {
    BASE64URL_NOPAD.encode(&blake3::hash(id.as_bytes()).as_bytes()[..9])
}
