//! Polls paste sites, feeds, code hosts, breach indexes and threat exchanges, each described by a file of TOML, and reports
//! the text of every new item. It reads only the configured site and the hosts that its file lists, and never what a paste
//! names.

mod check;
mod entry;
mod feed;
pub mod fetch;
pub mod listing;
mod look;
pub mod poll;
mod position;
pub mod source;
mod take;

use crate::{
    domain::{
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sensors::sensor::{Entry, Reporter, Running, Sensor},
};
use async_trait::async_trait;
use fetch::{Answer, Fetcher, Version};
use ipnet::IpNet;
use jiff::Timestamp;
use look::Glass;
use poll::Poller;
use position::Position;
use serde::Deserialize;
use source::Source;
use std::{collections::HashMap, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry {
    kind: "paste",
    about: "polls paste sites, feeds, GitHub, GitLab, Have I Been Pwned, AIL, MISP, and what you describe",
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    source: String,
    url: Option<Address>,
    every: Option<String>,
    token: Option<Secret>,
    sources_dir: Option<PathBuf>,
    domains: Option<Vec<String>>,
    query: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    allow_private: Vec<String>,
    #[serde(default = "item_limit")]
    max_item: usize,
}

fn item_limit() -> usize {
    10 * 1024 * 1024
}

/// A watched source.
pub struct Paste {
    sensor: String,
    name: String,
    source: Source,
    fetcher: Fetcher,
    every: Duration,
    pause: Duration,
    list_pause: Duration,
    domains: Vec<String>,
    query: String,
    item_limit: usize,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let folder = config.sources_dir.as_deref().map(|folder| section.path(folder));
    let mut source = Source::find(&config.source, folder.as_deref())?;
    source.hosts.extend(config.hosts);
    let wrong = |key: &'static str| move |message: String| SectionError::new(key, message);
    let every = source::duration(config.every.as_deref().unwrap_or(&source.every)).map_err(wrong("every"))?;
    let paused = |pause: &Option<String>| pause.as_deref().map_or(Ok(Duration::ZERO), source::duration);
    let pause = paused(&source.item.pause).map_err(wrong("source"))?;
    let list_pause = paused(&source.list.pause).map_err(wrong("source"))?;
    let domains = match source.asks_by("{domain}") {
        true => domains(config.domains.unwrap_or_default())?,
        false => vec![String::new()],
    };
    let query = match (source.asks_by("{query}"), config.query) {
        (true, Some(query)) if !query.trim().is_empty() => query.trim().to_owned(),
        (true, _) => return Err(SectionError::new("query", "this source needs one: its file says what it is")),
        (false, Some(_)) => return Err(SectionError::new("query", "this source takes none: leave it out")),
        (false, None) => String::new(),
    };
    let base = config
        .url
        .or_else(|| source.url.clone().map(Address::new))
        .ok_or_else(|| SectionError::new("url", "expected the site's address, such as https://paste.example.org"))?;
    let networks = config
        .allow_private
        .iter()
        .map(|text| text.parse::<IpNet>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| SectionError::new("allow_private", "expected networks, such as [\"10.0.0.0/8\"]"))?;
    let fetcher = Fetcher::new(base.reveal(), &source, config.token.as_ref(), networks).map_err(|message| {
        let (key, message) = message.split_once(": ").unwrap_or(("url", message.as_str()));
        SectionError::new(key, message)
    })?;
    let (sensor, name, item_limit) = (section.name.clone(), config.source, config.max_item);
    Ok(Box::new(Paste { sensor, name, source, fetcher, every, pause, list_pause, domains, query, item_limit }))
}

fn domains(domains: Vec<String>) -> Result<Vec<String>, SectionError> {
    let wrong = |message: &str| Err(SectionError::new("domains", message));
    if domains.is_empty() {
        return wrong("this source is asked by domain: give some, or alias_domains in [organisation]");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    match domains.iter().any(|domain| !domain.contains('.') || !domain.bytes().all(plain)) {
        true => wrong("expected domains, such as [\"mail.example.org\"]"),
        false => Ok(domains),
    }
}

#[async_trait]
impl Sensor for Paste {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let Paste { sensor, name, source, fetcher, every, pause, list_pause, domains, query, item_limit } = *self;
        let poller = Poller {
            sensor,
            name,
            source,
            fetcher,
            every,
            pause,
            list_pause,
            item_limit,
            domains,
            query,
            reporter,
            position: Position::default(),
            tries: HashMap::new(),
        };
        Ok(Running { address: None, task: tokio::spawn(poller.run(stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let (origin, path) = (self.fetcher.origin(), &self.source.list.path);
        let glass = Glass {
            source: &self.source,
            fetcher: &self.fetcher,
            domain: self.domains.first().map(String::as_str).unwrap_or_default(),
            query: &self.query,
            pause: self.list_pause,
        };
        let ask = glass.ask(0, Some(Timestamp::now()));
        let ask = ask.ok_or_else(|| anyhow::anyhow!("{origin}: list.path of the source is no path"))?;
        match self.fetcher.ask(ask, &Version::default(), 64 * 1024).await {
            Answer::Body { .. } | Answer::Unchanged | Answer::Later(_) => Ok(()),
            // A domain of which nothing is known.
            Answer::Gone if !glass.domain.is_empty() => Ok(()),
            Answer::Gone => anyhow::bail!("{origin}: there is no list at {path}: check url and source"),
            Answer::Failed("not_allowed") => anyhow::bail!("{origin}: the list is not open to us: check token"),
            Answer::Failed(reason) => {
                anyhow::bail!("{origin}: the list cannot be read ({reason}): check url and network")
            }
        }
    }
}
