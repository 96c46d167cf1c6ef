//! Leaked files that analysts collect somewhere: each that is new is read as `trace --record` reads it, once. What stands
//! here is common to a folder and a bucket; how each is looked at, in its own file.

pub mod marks;
#[cfg(test)]
mod tests;

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
/// A file that stays as it is for so long is whole.
const SETTLED: Duration = Duration::from_secs(2);
/// A file that could not be opened is left alone for so many looks.
const CLOSED: u32 = 30;

/// A file that is there.
pub struct Found {
    /// What it and no other is: changed, it is another.
    pub mark: Mark,
    /// Its name, for verdicts and sightings.
    pub name: String,
    /// Whether it is known to be whole; else it is once it stays as it is for a while.
    pub settled: bool,
}

/// What a look found.
#[derive(Default)]
pub struct Looked {
    pub files: Vec<Found>,
    /// Folders that could not be looked into.
    pub skipped: usize,
}

/// Why a file cannot be opened now, which is no fault of what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nor can any other: all is out of reach, or asks to wait.
    All(&'static str),
    /// It alone.
    File(&'static str),
}

/// Where files are collected.
#[async_trait]
pub trait Collection: Send + Sync {
    /// As the one who vouches for what is found there.
    fn origin(&self) -> String;

    /// What is said of it when it cannot be read.
    fn blind(&self) -> &'static str;

    /// All that is there; or why that cannot be told.
    async fn look(&self) -> Result<Looked, &'static str>;

    /// A file's bytes; none if it is gone, or another by now.
    async fn open(&self, file: &Found) -> Result<Option<Box<dyn Read + Send>>, Closed>;
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
    /// Since when files that are perhaps not whole are as they are.
    fresh: HashMap<Mark, Instant>,
    /// Files that could not be opened, and when that was.
    closed: HashMap<Mark, Instant>,
    remembered: Instant,
    stale: bool,
}

/// How a file was taken.
enum Took {
    Read,
    /// It is not there any more.
    Gone,
    /// Its source broke off.
    Broken,
    Closed(&'static str),
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
        let mut known = Known {
            marks: marks.unwrap_or_default(),
            tries: HashMap::new(),
            fresh: HashMap::new(),
            closed: HashMap::new(),
            remembered: Instant::now(),
            stale: false,
        };
        let mut failures = 0u32;
        loop {
            let Some(looked) = stop.run_until_cancelled(self.read(&mut known, &reporter)).await else { return Ok(()) };
            match looked {
                Ok(unable) => {
                    failures = 0;
                    reporter.sees(&self.sensor, unable);
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
            let settling = known.fresh.values().any(|since| since.elapsed() < SETTLED);
            let wait = match failures {
                0 if settling => self.every.min(SETTLED),
                _ => self.every.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT.max(self.every)),
            };
            if stop.run_until_cancelled(sleep(wait)).await.is_none() {
                break;
            }
        }
        self.remember(&mut known, &reporter).await;
        Ok(())
    }

    /// Takes in all that is new. Answers what of it is out of reach, if not all is.
    async fn read(&self, known: &mut Known, reporter: &Reporter) -> Result<Option<&'static str>, &'static str> {
        let Looked { files, skipped } = self.collection.look().await?;
        let crowded = files.len() > marks::MOST;
        if crowded {
            reporter.refused(&self.sensor, "too_many_files");
        }
        (0..skipped).for_each(|_| reporter.refused(&self.sensor, "folder_skipped"));
        let there: HashSet<Mark> = files.iter().map(|file| file.mark).collect();
        known.stale |= known.marks.look(&there);
        known.tries.retain(|mark, _| there.contains(mark));
        known.fresh.retain(|mark, _| there.contains(mark));
        known.closed.retain(|mark, _| there.contains(mark));
        let mut broken = Ok(());
        for file in files.into_iter().take(marks::MOST) {
            if known.marks.has(&file.mark) || self.is_left_alone(&file, known) {
                continue;
            }
            match self.take_in(&file, known, reporter).await? {
                Took::Gone => {}
                Took::Read => {
                    known.tries.remove(&file.mark);
                    known.fresh.remove(&file.mark);
                    known.closed.remove(&file.mark);
                    known.marks.add(file.mark);
                    known.stale = true;
                }
                Took::Closed(reason) => {
                    if known.closed.insert(file.mark, Instant::now()).is_none() {
                        reporter.refused(&self.sensor, reason);
                    }
                }
                Took::Broken => {
                    let tries = known.tries.entry(file.mark).or_default();
                    *tries += 1;
                    if *tries >= TRIES {
                        reporter.refused(&self.sensor, "file_given_up");
                        known.fresh.remove(&file.mark);
                        known.marks.add(file.mark);
                        known.stale = true;
                    }
                    broken = Err("file_unreadable");
                }
            }
            if known.remembered.elapsed() >= REMEMBERED {
                self.remember(known, reporter).await;
            }
        }
        self.remember(known, reporter).await;
        broken?;
        Ok(match (crowded, skipped > 0 || !known.closed.is_empty()) {
            (true, _) => Some("too_many_files"),
            (false, true) => Some("files_cannot_be_opened"),
            (false, false) => None,
        })
    }

    /// Whether a file is not to be opened yet: it may not be whole, or could not be opened just now.
    fn is_left_alone(&self, file: &Found, known: &mut Known) -> bool {
        let whole = file.settled || known.fresh.entry(file.mark).or_insert_with(Instant::now).elapsed() >= SETTLED;
        let patience = self.every.saturating_mul(CLOSED).min(LONGEST_WAIT);
        !whole || known.closed.get(&file.mark).is_some_and(|since| since.elapsed() < patience)
    }

    async fn take_in(&self, file: &Found, known: &Known, reporter: &Reporter) -> Result<Took, &'static str> {
        let source = match self.collection.open(file).await {
            Ok(Some(source)) => source,
            Ok(None) => return Ok(Took::Gone),
            Err(Closed::All(reason)) => return Err(reason),
            Err(Closed::File(reason)) => return Ok(Took::Closed(reason)),
        };
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
            Ok(()) => Ok(Took::Read),
            Err(NotTaken::Unreadable) => Ok(Took::Broken),
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
