//! Alerts as alerts of Jira Service Management Operations, by an API integration. An incident's share one alias, by which they
//! are one alert there: created, noted, closed. A test closes itself.

use crate::{
    domain::{
        alert::{Alert, AlertType},
        incident::Severity,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            identity::{alert_key, subject_key},
            options::{Options, read, read_authority},
            post::{Post, settle_strictly},
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
pub const ENTRY: Entry =
    Entry { kind: "jsm", about: "alerts in Jira Service Management Operations", build: Jira::build, gathers: false };

const USUAL: &str = "https://api.atlassian.com/jsm/ops/integration/v2/alerts";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    key: Secret,
    url: Option<Address>,
    #[serde(default)]
    tags: Vec<String>,
    ca: Option<PathBuf>,
}

struct Jira {
    options: Options,
    post: Post,
    authorization: Secret,
    tags: Vec<String>,
}

impl Jira {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        if config.tags.len() > 15 || config.tags.iter().any(|tag| tag.chars().count() > 50) {
            return Err(SectionError::new("tags", "at most 15, of at most 50 characters each"));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let url = config.url.as_ref().map_or(USUAL, Address::reveal);
        let authorization = Secret::new(format!("GenieKey {}", config.key.reveal()));
        let post = Post::new(url, &options, authority)?.hiding([config.key]);
        Ok(Box::new(Jira { options, post, authorization, tags: config.tags }))
    }

    fn request(&self, alert: &Alert) -> Value {
        let wording = Wording::of(alert);
        let mut details: serde_json::Map<String, Value> =
            wording.facts.iter().map(|(label, value)| ((*label).to_owned(), json!(value))).collect();
        details.insert("Alert".to_owned(), json!(alert_key(alert)));
        if let Some(link) = wording::link(alert) {
            details.insert("Link".to_owned(), json!(link));
        }
        let mut tags = vec!["telltale".to_owned()];
        tags.extend((!wording.mark.is_empty()).then(|| "drill".to_owned()));
        tags.extend(self.tags.iter().cloned());
        json!({
            "message": webhooks::clean(&format!("{}{}", wording.mark, wording.title), 130),
            "alias": subject_key(alert),
            "description": wording.summary,
            "priority": match wording.severity {
                Severity::Critical => "P1",
                Severity::High => "P2",
                Severity::Medium => "P3",
                Severity::Info => "P5",
            },
            "source": "Telltale",
            "entity": alert.incident.as_ref().map_or_else(|| "telltale".to_owned(), |incident| webhooks::clean(&wording::stores(incident), 500)),
            "tags": tags,
            "details": details,
        })
    }

    /// Posts to the alerts, or, with a verb, to the one of this alias.
    async fn tell(&self, alert: &Alert, verb: Option<&str>, body: &Value) -> Result<Receipt, SinkError> {
        let headers = [("content-type", "application/json"), ("authorization", self.authorization.reveal())];
        let post = match verb {
            None => self.post.at(self.post.path()),
            Some(verb) => {
                let path = format!("{}/{}/{verb}", self.post.path().trim_end_matches('/'), subject_key(alert));
                self.post.at(&path).asking(&[("identifierType", "alias")])
            }
        };
        settle_strictly("Jira Service Management", post.send(&headers, body.to_string().into_bytes()).await?)
    }
}

#[async_trait]
impl Sink for Jira {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let request = self.request(alert);
        let text = format!(
            "{}: {}",
            request["message"].as_str().unwrap_or_default(),
            request["description"].as_str().unwrap_or_default()
        );
        let note = json!({"source": "Telltale", "note": webhooks::clip(&text, 2000)});
        match alert.alert_type {
            AlertType::IncidentClosed => self.tell(alert, Some("close"), &note).await,
            AlertType::IncidentUpdated => {
                self.tell(alert, None, &request).await?;
                self.tell(alert, Some("notes"), &note).await
            }
            // A test leaves nothing open.
            AlertType::SinkTest => {
                self.tell(alert, None, &request).await?;
                self.tell(alert, Some("close"), &note).await
            }
            _ => self.tell(alert, None, &request).await,
        }
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
