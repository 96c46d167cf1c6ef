//! Alerts as OCSF Detection Findings (class 2004) to any HTTP receiver. An incident's alerts are one finding: created,
//! updated, closed.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            finding::finding,
            options::{Options, read, read_authority},
            post::{Post, settle},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::path::PathBuf;

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "ocsf", about: "OCSF Detection Findings to any HTTP receiver", build: Ocsf::build, gathers: false };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    token: Option<Secret>,
    ca: Option<PathBuf>,
}

struct Ocsf {
    options: Options,
    host: String,
    post: Post,
    authorization: Option<Secret>,
}

impl Ocsf {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let authority = read_authority(section, config.ca.as_deref())?;
        let authorization = config.token.as_ref().map(|token| Secret::new(format!("Bearer {}", token.reveal())));
        let post = Post::new(config.url.reveal(), &options, authority)?.hiding(config.token);
        Ok(Box::new(Ocsf { options, host: config.url.host(), post, authorization }))
    }
}

#[async_trait]
impl Sink for Ocsf {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(self.authorization.iter().map(|line| ("authorization", line.reveal())));
        settle(&self.host, self.post.send(&headers, finding(alert).to_string().into_bytes()).await?)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
