//! A message to people by a chat's incoming webhook: a shipped template, posted to an address that is itself the key.

use crate::{
    domain::{
        alert::Alert,
        secret::Secret,
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            identity::subject_key,
            options::{Options, read, read_authority},
            post::{Post, settle},
            wording::Wording,
        },
        sink::{Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{path::PathBuf, time::Duration};
use webhooks::{Answer, Templates};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Option<Secret>,
    ca: Option<PathBuf>,
}

/// A chat.
pub struct Chat {
    /// Its name, as people know it.
    name: &'static str,
    template: &'static str,
    options: Options,
    post: Post,
    templates: Templates,
}

impl Chat {
    /// Reads the section; `query` is added to the address where it does not say otherwise itself.
    pub fn build(
        section: &Section,
        name: &'static str,
        template: &'static str,
        query: &[(&str, &str)],
    ) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let authority = read_authority(section, config.ca.as_deref())?;
        let url =
            config.url.ok_or_else(|| SectionError::new("url", "is missing: give the incoming webhook's address"))?;
        let post = Post::new(url.reveal(), &options, authority)?.asking(query);
        Ok(Box::new(Chat { name, template, options, post, templates: Templates::default() }))
    }

    fn body(&self, alert: &Alert) -> Result<String, SinkError> {
        let mut context = Wording::of(alert).context(alert);
        context["thread"] = subject_key(alert).into();
        let rendered = self.templates.render(self.template, &context);
        rendered.map_err(|error| SinkError::GiveUp { why: error.to_string(), status: None })
    }

    /// A webhook that was deleted, or a message that is refused, stays so; everything else may work later.
    fn judge(&self, mut answer: Answer) -> Result<Receipt, SinkError> {
        let said = webhooks::clip(&answer.body, 200);
        match answer.status {
            400 | 401 | 403 | 404 | 410 | 413 => Err(SinkError::GiveUp {
                why: format!("{} refuses the message ({} {said}): make a new webhook there", self.name, answer.status),
                status: Some(answer.status),
            }),
            _ => {
                answer.retry_after = answer.retry_after.or_else(|| wish(&answer.body));
                settle(self.name, answer)
            }
        }
    }
}

/// Some chats say in the body how long to wait.
fn wish(body: &str) -> Option<Duration> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    Duration::try_from_secs_f64(body["retry_after"].as_f64()?).ok()
}

#[async_trait]
impl Sink for Chat {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        // Without its charset, some receivers read text twice as wide.
        let headers = [("content-type", "application/json; charset=utf-8")];
        self.judge(self.post.send(&headers, self.body(alert)?.into_bytes()).await?)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
