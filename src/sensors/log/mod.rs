//! Follows a log file in which a service writes down logins, or a store what is asked of it, and reports each. What was read is
//! remembered together with what was seen in it: after a crash nothing is missed, and nothing is told twice. Strangers' lines are
//! forgotten.

pub mod formats;
mod store;
pub mod tail;

use crate::{
    domain::{
        section::{Section, SectionError},
        sighting::{Class, Touch},
    },
    sensors::{
        credentials::Credentials,
        request::bounded,
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use anyhow::Context as _;
use async_trait::async_trait;
use formats::format::{Clock, Login, ReadReader, Reader};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use store::Store;
use tail::{Position, Tail};
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry {
    kind: "log",
    about: "follows a log file of logins (sshd, slapd, dovecot, nginx, apache, pam, samba, canaille) or of what is read in a \
            store (postgres, samba_full_audit, s3_access)",
    build,
};

const EVERY: Duration = Duration::from_millis(500);
/// While nothing is seen, the position is remembered so often; what was read since is read again after a crash.
const REMEMBERED: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(1);
/// A log that is rotated may be away for a moment; after so long nobody writes it any more, or it is written elsewhere.
const AWAY: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    format: String,
    path: PathBuf,
    time_zone: Option<String>,
    store: Option<String>,
    below: Option<String>,
    #[serde(default)]
    trusted: Vec<String>,
}

/// A log that is followed.
pub struct Log {
    name: String,
    format: &'static str,
    kind: Kind,
    path: PathBuf,
    time_zone: TimeZone,
    away: Duration,
}

/// What its lines tell of.
enum Kind {
    Logins(fn() -> Box<dyn Reader>),
    Reads(fn() -> Box<dyn ReadReader>, Store),
}

/// The reader of lines that a log has.
enum Lines {
    Logins(Box<dyn Reader>),
    Reads(Box<dyn ReadReader>),
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    Ok(Box::new(Log::read(section)?))
}

#[async_trait]
impl Sensor for Log {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        Ok(Running { address: None, task: tokio::spawn(self.follow(reporter, stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        std::fs::File::open(&self.path).map(drop).with_context(|| {
            format!("cannot read {}: give the service the right to read it, or correct `path`", self.path.display())
        })
    }
}

impl Log {
    /// One by its section of the configuration.
    ///
    /// # Errors
    /// A key that is none.
    pub fn read(section: &Section) -> Result<Log, SectionError> {
        let config: Config = section.read()?;
        let logins = formats::ALL.iter().find(|format| format.name == config.format);
        let reads = formats::READS.iter().find(|format| format.name == config.format);
        let (format, kind) = match (logins, reads) {
            (Some(format), _) => {
                let given = [
                    ("store", config.store.is_some()),
                    ("below", config.below.is_some()),
                    ("trusted", !config.trusted.is_empty()),
                ];
                let mut of_reads = given.into_iter();
                if let Some((key, _)) = of_reads.find(|(_, given)| *given) {
                    return Err(SectionError::new(key, "of use where a store's reads are told: leave it out"));
                }
                (format.name, Kind::Logins(format.reader))
            }
            (None, Some(format)) => {
                let store = Store::read(config.store, config.below, &config.trusted)?;
                (format.name, Kind::Reads(format.reader, store))
            }
            (None, None) => {
                let known = formats::ALL.iter().map(|format| format.name);
                let known: Vec<&str> = known.chain(formats::READS.iter().map(|format| format.name)).collect();
                let message = format!("no format is called {:?}; known are {}", config.format, known.join(", "));
                return Err(SectionError::new("format", message));
            }
        };
        let time_zone = match &config.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                SectionError::new(
                    "time_zone",
                    format!("{name:?} is no time zone: expected a name such as Europe/Paris"),
                )
            })?,
        };
        Ok(Log { name: section.name.clone(), format, kind, path: section.path(&config.path), time_zone, away: AWAY })
    }

    /// The same, and the log may be away for so long before that is told.
    pub fn may_be_away_for(self, away: Duration) -> Log {
        Log { away, ..self }
    }

    async fn follow(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(recalled) = reporter.recalled(&self.name, &stop).await else { return Ok(()) };
        let mut position: Option<Position> = recalled.and_then(|value| {
            let read = serde_json::from_value(value);
            read.inspect_err(|_| reporter.refused(&self.name, "position_unreadable")).ok()
        });
        let mut remembered = (position.clone(), Instant::now());
        let mut tail = Tail::new(self.path.clone());
        let mut reader = match &self.kind {
            Kind::Logins(reader) => Lines::Logins(reader()),
            Kind::Reads(reader, _) => Lines::Reads(reader()),
        };
        // What was read is told already; a line to come may belong to it.
        let lines = position.as_ref().and_then(|position| tail.before(position).ok()).unwrap_or_default();
        lines.iter().for_each(|line| drop(self.touches(&mut reader, line)));
        let mut readable = true;
        let mut gone: Option<Instant> = None;
        loop {
            let since = position.clone();
            let looked = tokio::task::spawn_blocking(move || (tail.read(since.as_ref()), tail)).await?;
            tail = looked.1;
            let mut more = false;
            match looked.0 {
                Ok(read) => {
                    readable = true;
                    gone = read.gone.then(|| gone.unwrap_or_else(Instant::now));
                    let lost = gone.is_some_and(|since| since.elapsed() >= self.away);
                    reporter.sees(&self.name, lost.then_some("the_log_is_gone"));
                    more = read.more;
                    read.refused.iter().for_each(|reason| reporter.refused(&self.name, reason));
                    let touches: Vec<Touch> =
                        read.lines.iter().flat_map(|line| self.touches(&mut reader, line)).collect();
                    if !touches.is_empty() {
                        let place = serde_json::to_value(&read.position)?;
                        // The file keeps what cannot be made durable now.
                        while reporter.observe_all(&self.name, touches.clone(), place.clone()).await.is_err() {
                            if !waited(&stop, PATIENCE).await {
                                return Ok(());
                            }
                        }
                    }
                    position = Some(read.position);
                }
                Err(error) => {
                    if readable {
                        tracing::warn!(sensor = self.name, kind = ?error.kind(), "the log cannot be read; it is tried on");
                        reporter.refused(&self.name, "unreadable");
                    }
                    readable = false;
                    reporter.sees(&self.name, Some("the_log_cannot_be_read"));
                }
            }
            let going = more && !stop.is_cancelled() || waited(&stop, EVERY).await;
            if let Some(position) = position.as_ref().filter(|position| remembered.0.as_ref() != Some(*position))
                && (!going || remembered.1.elapsed() >= REMEMBERED)
            {
                let kept = reporter.remember(&self.name, serde_json::to_value(position)?).await;
                remembered = (kept.ok().map(|()| position.clone()), Instant::now());
            }
            if !going {
                return Ok(());
            }
        }
    }

    fn touches(&self, reader: &mut Lines, line: &str) -> Vec<Touch> {
        let now = Timestamp::now();
        let clock = Clock { time_zone: self.time_zone.clone(), now };
        let told_by = format!("file:{}", self.path.display());
        match (reader, &self.kind) {
            (Lines::Logins(reader), _) => {
                reader.read(line, &clock).into_iter().map(|login| self.touch(login, line, now)).collect()
            }
            (Lines::Reads(reader), Kind::Reads(_, store)) => {
                let accesses = reader.read(line, &clock).into_iter().filter(|access| !store.is_trusted(access));
                accesses.map(|access| store.touch(access, line, &self.name, &told_by, now)).collect()
            }
            (Lines::Reads(_), Kind::Logins(_)) => Vec::new(),
        }
    }

    fn touch(&self, login: Login, line: &str, now: Timestamp) -> Touch {
        let service = match &login.host {
            Some(host) => format!("{} {host}", self.format),
            None => self.format.to_owned(),
        };
        Touch {
            opened: None,
            sensor: self.name.clone(),
            reporter: format!("file:{}", self.path.display()),
            class: Class::Login,
            at: login.at.unwrap_or(now),
            source_ip: login.source_ip,
            service: bounded(&service.replace(char::is_control, " ")),
            presented: Credentials { username: login.username, password: None }.presented(),
            text: Vec::new(),
            mail: None,
            evidence: [login.before.as_slice(), &[line.to_owned()]].concat().join("\n").into_bytes(),
        }
    }
}

/// Waits; false where the house stops.
async fn waited(stop: &CancellationToken, so_long: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(so_long) => true,
        () = stop.cancelled() => false,
    }
}
