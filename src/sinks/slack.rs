//! Alerts as Slack messages, by an incoming webhook whose address is the key. Such a webhook can neither update nor
//! find a message again, so each carries the alert's id.

use crate::{
    domain::{
        alert::Alert,
        secret::Secret,
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            options::{Options, read, read_authority},
            post::{Post, settle},
            wording::Wording,
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::path::PathBuf;
use webhooks::Templates;

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "slack",
    about: "messages in a Slack channel, by an incoming webhook",
    build: Slack::build,
    gathers: true,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Option<Secret>,
    ca: Option<PathBuf>,
}

struct Slack {
    options: Options,
    post: Post,
    templates: Templates,
}

impl Slack {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let authority = read_authority(section, config.ca.as_deref())?;
        let url =
            config.url.ok_or_else(|| SectionError::new("url", "is missing: give the incoming webhook's address"))?;
        let post = Post::new(url.reveal(), &options, authority)?;
        Ok(Box::new(Slack { options, post, templates: Templates::default() }))
    }
}

#[async_trait]
impl Sink for Slack {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let body = self
            .templates
            .render("slack.json.j2", &Wording::of(alert).context(alert))
            .map_err(|error| SinkError::GiveUp { why: error.to_string(), status: None })?;
        let answer = self.post.send(&[("content-type", "application/json; charset=utf-8")], body.into_bytes()).await?;
        let status = Some(answer.status);
        let said = webhooks::clip(&answer.body, 100);
        match answer.status {
            200 if answer.body.trim() == "ok" => Ok(Receipt { status, response: answer.body }),
            200 => Err(SinkError::Retry {
                why: format!("the receiver answered 200 and not `ok`, so it is not Slack, or in trouble: {said}"),
                status,
                after: answer.retry_after,
            }),
            400 | 403 | 404 | 410 => Err(SinkError::GiveUp {
                why: format!("Slack refuses the message ({} {said}): make a new incoming webhook", answer.status),
                status,
            }),
            _ => settle("Slack", answer),
        }
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
