//! Polls paste sites, each described by a file of TOML, and reports the text of every new item. It reads only the
//! configured site, and never what a paste names.

pub mod fetch;
pub mod listing;
pub mod poll;
pub mod source;

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
use poll::{Poller, Position};
use serde::Deserialize;
use source::Source;
use std::{collections::HashMap, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "paste", about: "polls paste sites (bepasty, pastebin, rustypaste, your own)", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    source: String,
    url: Option<Address>,
    every: Option<String>,
    token: Option<Secret>,
    sources_dir: Option<PathBuf>,
    #[serde(default)]
    allow_private: Vec<String>,
    #[serde(default = "item_limit")]
    max_item: usize,
}

fn item_limit() -> usize {
    10 * 1024 * 1024
}

/// A watched paste site.
pub struct Paste {
    sensor: String,
    name: String,
    source: Source,
    fetcher: Fetcher,
    every: Duration,
    pause: Duration,
    item_limit: usize,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let folder = config.sources_dir.as_deref().map(|folder| section.path(folder));
    let source = Source::find(&config.source, folder.as_deref())?;
    let wrong = |key: &'static str| move |message: String| SectionError::new(key, message);
    let every = source::duration(config.every.as_deref().unwrap_or(&source.every)).map_err(wrong("every"))?;
    let pause = source.item.pause.as_deref().map_or(Ok(Duration::ZERO), source::duration).map_err(wrong("source"))?;
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
    Ok(Box::new(Paste { sensor, name, source, fetcher, every, pause, item_limit }))
}

#[async_trait]
impl Sensor for Paste {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let Paste { sensor, name, source, fetcher, every, pause, item_limit } = *self;
        let (position, tries) = (Position::default(), HashMap::new());
        let poller = Poller { sensor, name, source, fetcher, every, pause, item_limit, reporter, position, tries };
        Ok(Running { address: None, task: tokio::spawn(poller.run(stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let origin = self.fetcher.origin();
        let address = self.fetcher.address(&self.source.list.path, "");
        let address = address.ok_or_else(|| anyhow::anyhow!("{origin}: list.path of the source is no path"))?;
        match self.fetcher.get(address, &Version::default(), 64 * 1024).await {
            Answer::Body { .. } | Answer::Unchanged | Answer::Later(_) => Ok(()),
            Answer::Gone => {
                anyhow::bail!("{origin}: there is no list at {}: check url and source", self.source.list.path)
            }
            Answer::Failed("not_allowed") => anyhow::bail!("{origin}: the list is not open to us: check token"),
            Answer::Failed(reason) => {
                anyhow::bail!("{origin}: the list cannot be read ({reason}): check url and network")
            }
        }
    }
}
