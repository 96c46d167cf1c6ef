//! Leaked files that analysts collect somewhere: each that is new is read as `trace --record` reads it, once. What stands
//! here is common to a folder and a bucket; how each is looked at, in its own file.

pub mod marks;

use crate::sensors::sensor::{Material, NotTaken, Reporter, Running, Sensor};
use async_trait::async_trait;
use marks::{Mark, Marks};
use std::{
    collections::{HashMap, HashSet},
    io::Read,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two looks while something fails.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// So often a file that cannot be read to its end is tried.
const TRIES: u8 = 5;
/// While nothing of ours is found, what was read is remembered so often.
const REMEMBERED: Duration = Duration::from_secs(30);

/// A file that is there.
pub struct Found {
    /// What it and no other is: changed, it is another.
    pub mark: Mark,
    /// Its name, for verdicts and sightings.
    pub name: String,
    /// Whether it is whole, as far as can be told.
    pub settled: bool,
}

/// Where files are collected.
#[async_trait]
pub trait Collection: Send + Sync {
    /// As the one who vouches for what is found there.
    fn origin(&self) -> String;

    /// What is said of it when it cannot be read.
    fn blind(&self) -> &'static str;

    /// All that is there; or why that cannot be told.
    async fn look(&self) -> Result<Vec<Found>, &'static str>;

    /// A file's bytes; none if it is gone.
    async fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, &'static str>;
}

/// A collection that is looked at again and again.
pub struct Collected<C> {
    pub sensor: String,
    pub collection: C,
    pub every: Duration,
}

#[async_trait]
impl<C: Collection + 'static> Sensor for Collected<C> {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        Ok(Running { address: None, task: tokio::spawn(self.run(reporter, stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let origin = self.collection.origin();
        self.collection.look().await.map(drop).map_err(|reason| {
            anyhow::anyhow!(
                "{origin}: what is collected there cannot be read ({reason}): check the section and its rights"
            )
        })
    }
}

/// What is known, and what of that is durable.
struct Known {
    marks: Marks,
    tries: HashMap<Mark, u8>,
    remembered: Instant,
    stale: bool,
}

impl<C: Collection> Collected<C> {
    async fn run(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(recalled) = reporter.recalled(&self.sensor, &stop).await else { return Ok(()) };
        let marks = recalled.map(|value| {
            Marks::read(&value).unwrap_or_else(|| {
                reporter.refused(&self.sensor, "position_unreadable");
                Marks::default()
            })
        });
        let mut known =
            Known { marks: marks.unwrap_or_default(), tries: HashMap::new(), remembered: Instant::now(), stale: false };
        let mut failures = 0u32;
        loop {
            let Some(looked) = stop.run_until_cancelled(self.read(&mut known, &reporter)).await else { return Ok(()) };
            match looked {
                Ok(()) => {
                    failures = 0;
                    reporter.sees(&self.sensor, None);
                }
                Err(reason) => {
                    reporter.refused(&self.sensor, reason);
                    failures = failures.saturating_add(1);
                    if failures > 1 {
                        tracing::warn!(sensor = self.sensor, reason, "what is collected cannot be read");
                        reporter.sees(&self.sensor, Some(self.collection.blind()));
                    }
                }
            }
            let wait = self.every.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT.max(self.every));
            if stop.run_until_cancelled(sleep(wait)).await.is_none() {
                break;
            }
        }
        self.remember(&mut known, &reporter).await;
        Ok(())
    }

    /// Takes in all that is new.
    async fn read(&self, known: &mut Known, reporter: &Reporter) -> Result<(), &'static str> {
        let found = self.collection.look().await?;
        if found.len() > marks::MOST {
            reporter.refused(&self.sensor, "too_many_files");
        }
        let there: HashSet<Mark> = found.iter().map(|file| file.mark).collect();
        known.stale |= known.marks.keep(&there);
        known.tries.retain(|mark, _| there.contains(mark));
        let mut failed = Ok(());
        for file in found.into_iter().take(marks::MOST) {
            if !file.settled || known.marks.has(&file.mark) {
                continue;
            }
            match self.take_in(&file, known, reporter).await {
                Ok(()) => {
                    known.tries.remove(&file.mark);
                    known.marks.add(file.mark);
                    known.stale = true;
                }
                Err("not_durable") => return Err("not_durable"),
                Err(reason) => {
                    let tries = known.tries.entry(file.mark).or_default();
                    *tries += 1;
                    if *tries >= TRIES {
                        reporter.refused(&self.sensor, "file_given_up");
                        known.marks.add(file.mark);
                        known.stale = true;
                    }
                    failed = Err(reason);
                }
            }
            if known.remembered.elapsed() >= REMEMBERED {
                self.remember(known, reporter).await;
            }
        }
        self.remember(known, reporter).await;
        failed
    }

    async fn take_in(&self, file: &Found, known: &mut Known, reporter: &Reporter) -> Result<(), &'static str> {
        let Some(source) = self.collection.open(&file.name).await? else { return Ok(()) };
        let mut marks = known.marks.clone();
        marks.add(file.mark);
        let material = Material {
            sensor: self.sensor.clone(),
            reporter: self.collection.origin(),
            name: file.name.clone(),
            source,
            position: marks.written(),
        };
        match reporter.take_in(material).await {
            Ok(()) => Ok(()),
            Err(NotTaken::Unreadable) => Err("file_unreadable"),
            Err(NotTaken::NotDurable) => Err("not_durable"),
        }
    }

    async fn remember(&self, known: &mut Known, reporter: &Reporter) {
        known.remembered = Instant::now();
        if !known.stale {
            return;
        }
        match reporter.remember(&self.sensor, known.marks.written()).await {
            Ok(()) => known.stale = false,
            Err(_) => reporter.refused(&self.sensor, "not_durable"),
        }
    }
}
