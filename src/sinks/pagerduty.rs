//! Alerts as PagerDuty events (Events API v2): an incident's alerts share one key, so they group, its acknowledgement
//! acknowledges, and its end resolves.

use crate::{
    domain::{
        alert::{Alert, AlertType},
        incident::Severity,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            body::body,
            identity::{is_acknowledged, subject_key},
            options::{Options, read, read_authority},
            post::{Post, settle},
            wording::{self, Wording},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "pagerduty",
    about: "events of a PagerDuty service (Events API v2)",
    build: PagerDuty::build,
    gathers: false,
};

const USUAL: &str = "https://events.pagerduty.com/v2/enqueue";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Option<Address>,
    routing_key: Secret,
    ca: Option<PathBuf>,
}

struct PagerDuty {
    options: Options,
    post: Post,
    routing_key: Secret,
    source: String,
}

impl PagerDuty {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let key = config.routing_key.reveal();
        if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SectionError::new("routing_key", "expected the 32 letters and digits of an integration key"));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let url = config.url.as_ref().map_or(USUAL, Address::reveal);
        let post = Post::new(url, &options, authority)?.hiding([config.routing_key.clone()]);
        let source = hostname::get().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Box::new(PagerDuty { options, post, routing_key: config.routing_key, source }))
    }

    /// The request's body.
    fn request(&self, alert: &Alert, action: &str) -> Value {
        let wording = Wording::of(alert);
        let summary = format!("{}{}: {}", wording.mark, wording.title, wording.summary);
        let level = match wording.severity {
            Severity::Critical => "critical",
            Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Info => "info",
        };
        let facts: serde_json::Map<String, Value> =
            wording.facts.iter().map(|(label, value)| ((*label).to_owned(), json!(value))).collect();
        let source = webhooks::clean(&self.source, 200);
        let mut request = json!({
            "routing_key": self.routing_key.reveal(),
            "event_action": action,
            "dedup_key": subject_key(alert),
            "client": "Telltale",
            "payload": {
                "summary": webhooks::clean(&summary, 1000),
                "source": if source.is_empty() { "telltale" } else { &source },
                "severity": level,
                "timestamp": alert.at.to_string(),
                "group": "telltale",
                "class": alert.alert_type.as_str(),
                "custom_details": {"alert_id": alert.id, "facts": facts, "why_not": wording.why_not},
            },
        });
        if let Some(incident) = &alert.incident {
            request["payload"]["component"] = json!(wording::stores(incident));
            request["payload"]["custom_details"]["sightings"] = body(alert)["data"]["sightings"].clone();
        }
        if let Some(link) = wording::link(alert) {
            request["client_url"] = json!(link);
            request["links"] = json!([{"href": link, "text": "Open the incident"}]);
        }
        request
    }

    async fn tell(&self, alert: &Alert, action: &str) -> Result<Receipt, SinkError> {
        let request = self.request(alert, action).to_string().into_bytes();
        let answer = self.post.send(&[("content-type", "application/json")], request).await?;
        let why = || format!("PagerDuty refuses the event ({}): {}", answer.status, webhooks::clip(&answer.body, 300));
        match answer.status {
            400 | 401 | 403 | 404 => Err(SinkError::GiveUp { why: why(), status: Some(answer.status) }),
            _ => settle("PagerDuty", answer),
        }
    }
}

#[async_trait]
impl Sink for PagerDuty {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        match alert.alert_type {
            AlertType::IncidentClosed => self.tell(alert, "resolve").await,
            // What comes late opens nothing again: all that it says is in what closes it.
            AlertType::IncidentUpdated if alert.over => self.tell(alert, "resolve").await,
            // Whoever looks into it already is called no more, and has what is new.
            AlertType::IncidentUpdated if is_acknowledged(alert) => {
                self.tell(alert, "trigger").await?;
                self.tell(alert, "acknowledge").await
            }
            // A test leaves nothing open, nor does what is over.
            _ if alert.over || alert.alert_type == AlertType::SinkTest => {
                self.tell(alert, "trigger").await?;
                self.tell(alert, "resolve").await
            }
            _ => self.tell(alert, "trigger").await,
        }
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
