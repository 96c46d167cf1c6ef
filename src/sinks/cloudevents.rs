//! Alerts as CloudEvents 1.0 in structured mode. Source and id together tell a repetition.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            body::body,
            identity::{alert_key, subject_key},
            options::{Options, read, read_authority},
            post::{Post, settle},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use url::Url;

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "cloudevents", about: "CloudEvents to any HTTP receiver", build: Cloud::build, gathers: true };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    token: Option<Secret>,
    #[serde(default = "usual_source")]
    source: String,
    ca: Option<PathBuf>,
}

fn usual_source() -> String {
    "urn:telltale:house".to_owned()
}

struct Cloud {
    options: Options,
    host: String,
    post: Post,
    authorization: Option<Secret>,
    source: String,
}

impl Cloud {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        if Url::parse(&config.source).is_err() {
            return Err(SectionError::new("source", "expected an absolute URI, such as urn:telltale:paris"));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let authorization = config.token.as_ref().map(|token| Secret::new(format!("Bearer {}", token.reveal())));
        let post = Post::new(config.url.reveal(), &options, authority)?.hiding(config.token);
        Ok(Box::new(Cloud { options, host: config.url.host(), post, authorization, source: config.source }))
    }

    fn envelope(&self, alert: &Alert) -> Value {
        let told = body(alert);
        json!({
            "specversion": "1.0",
            "id": alert_key(alert),
            "source": self.source,
            "type": format!("telltale.{}", alert.alert_type.as_str()),
            "subject": subject_key(alert),
            "time": alert.at.to_string(),
            "datacontenttype": "application/json",
            "data": told["data"],
        })
    }
}

#[async_trait]
impl Sink for Cloud {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let mut headers = vec![("content-type", "application/cloudevents+json; charset=utf-8")];
        headers.extend(self.authorization.iter().map(|line| ("authorization", line.reveal())));
        let envelope = self.envelope(alert).to_string().into_bytes();
        settle(&self.host, self.post.send(&headers, envelope).await?)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
