//! Alerts as alerts of Jira Service Management Operations, by an API integration. An incident's share one alias, by which they
//! are one alert there: created, brought up to date, noted, acknowledged, closed. A test closes itself. Its API only takes requests in, so what
//! became of each is asked for before the next, and before an alert counts as delivered. A note bears its alert's key, and is
//! added where no note there bears it.

use crate::{
    domain::{
        alert::{Alert, AlertType},
        incident::Severity,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            identity::{alert_key, is_acknowledged, subject_key},
            options::{Options, read, read_authority},
            post::{Post, in_time, settle_strictly},
            wording::{self, Wording},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use tokio::time::sleep;
use webhooks::Method;

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "jsm", about: "alerts in Jira Service Management Operations", build: Jira::build, gathers: false };

const NAME: &str = "Jira Service Management";
const USUAL: &str = "https://api.atlassian.com/jsm/ops/integration/v2/alerts";

/// Notes that are looked through, the newest first, and bytes of them.
const NOTES: &str = "100";
const MOST_OF_NOTES: usize = 4 << 20;

/// How long it waits before each look at what became of a request; after the last it is too late.
const LOOKS: [u64; 7] = [0, 100, 200, 400, 800, 1500, 3000];

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

    /// Posts to the alerts, or, with a verb, to the one of this alias; answers once that is done.
    async fn tell(&self, alert: &Alert, verb: Option<&str>, body: &Value) -> Result<Receipt, SinkError> {
        let method =
            if matches!(verb, Some("priority" | "message" | "description")) { Method::Put } else { Method::Post };
        let post = match verb {
            None => self.post.clone(),
            Some(verb) => {
                let path = format!("{}/{}/{verb}", self.path(), subject_key(alert));
                self.post.at(&path).asking(&[("identifierType", "alias")])
            }
        };
        let answer = post.by(method).send(&self.headers(), body.to_string().into_bytes()).await?;
        let receipt = settle_strictly(NAME, answer)?;
        let said: Value = serde_json::from_str(&receipt.response).unwrap_or_default();
        let id = said["requestId"].as_str().filter(|id| {
            (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        match id {
            Some(id) => self.done(id, verb, receipt.status).await,
            None => Err(retry(format!("{NAME} does not say which request it took: whether it was done is not known"))),
        }
    }

    /// Looks until the request was carried out.
    async fn done(&self, id: &str, verb: Option<&str>, status: Option<u16>) -> Result<Receipt, SinkError> {
        let post = self.post.at(&format!("{}/requests/{id}", self.path())).by(Method::Get);
        for pause in LOOKS {
            sleep(Duration::from_millis(pause)).await;
            let answer = post.send(&self.headers(), Vec::new()).await?;
            // It has not got to it yet.
            if answer.status == 404 {
                continue;
            }
            let receipt = settle_strictly(NAME, answer)?;
            let said: Value = serde_json::from_str(&receipt.response).unwrap_or_default();
            let (success, became) = (&said["data"]["isSuccess"], said["data"]["status"].as_str().unwrap_or_default());
            // What somebody closed or removed by hand is closed, and what somebody took there is acknowledged.
            let lower = became.to_lowercase();
            let already: &[&str] = match verb {
                Some("close") => &["already closed", "not exist", "not found"],
                Some("acknowledge") => &["already acknowledged", "already closed"],
                _ => &[],
            };
            if *success == true || (*success == false && already.iter().any(|text| lower.contains(text))) {
                return Ok(Receipt { status, response: receipt.response });
            }
            if *success == false {
                return Err(retry(format!("{NAME} took it in and did not do it: {}", webhooks::clip(became, 200))));
            }
        }
        Err(retry(format!("{NAME} took it in and has not done it yet")))
    }

    /// Whether the alert of this alias has a note of this alert already: after a crash nobody else knows. Where notes may not be
    /// listed it has none: twice is better than never.
    async fn noted(&self, alert: &Alert) -> Result<bool, SinkError> {
        let path = format!("{}/{}/notes", self.path(), subject_key(alert));
        let asked = [("identifierType", "alias"), ("order", "desc"), ("limit", NOTES)];
        let post = self.post.at(&path).asking(&asked).by(Method::Get).keeping(MOST_OF_NOTES);
        let answer = post.send(&self.headers(), Vec::new()).await?;
        if matches!(answer.status, 403..=405) {
            return Ok(false);
        }
        let receipt = settle_strictly(NAME, answer)?;
        let said: Value = serde_json::from_str(&receipt.response).unwrap_or_default();
        let key = mark(alert);
        let notes = said["data"].as_array().into_iter().flatten().filter_map(|note| note["note"].as_str());
        Ok(notes.into_iter().any(|note| note.contains(&key)))
    }

    fn headers(&self) -> [(&'static str, &str); 2] {
        [("content-type", "application/json"), ("authorization", self.authorization.reveal())]
    }

    fn path(&self) -> &str {
        self.post.path().trim_end_matches('/')
    }

    async fn all(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let request = self.request(alert);
        let text = format!(
            "{}: {}",
            request["message"].as_str().unwrap_or_default(),
            request["description"].as_str().unwrap_or_default()
        );
        let note = format!("{} {}", webhooks::clip(&text, 2000), mark(alert));
        let note = json!({"source": "Telltale", "note": note});
        // What comes late opens nothing again: all that it says is in what closes it.
        if alert.alert_type == AlertType::IncidentClosed || alert.over && alert.alert_type == AlertType::IncidentUpdated
        {
            return self.tell(alert, Some("close"), &note).await;
        }
        let created = self.tell(alert, None, &request).await?;
        match alert.alert_type {
            AlertType::IncidentUpdated => {
                // What is there already keeps what it was created with.
                for key in ["priority", "message", "description"] {
                    if request[key].as_str().is_some_and(|value| !value.is_empty()) {
                        self.tell(alert, Some(key), &json!({ key: request[key] })).await?;
                    }
                }
                if !self.noted(alert).await? {
                    self.tell(alert, Some("notes"), &note).await?;
                }
                match is_acknowledged(alert) {
                    true => self.tell(alert, Some("acknowledge"), &json!({"source": "Telltale"})).await,
                    false => Ok(created),
                }
            }
            // A test leaves nothing open, nor does what is over.
            _ if alert.over || alert.alert_type == AlertType::SinkTest => self.tell(alert, Some("close"), &note).await,
            _ => Ok(created),
        }
    }
}

/// What a note is known by.
fn mark(alert: &Alert) -> String {
    format!("[{}]", alert_key(alert))
}

fn retry(why: String) -> SinkError {
    SinkError::Retry { why, status: None, after: None }
}

#[async_trait]
impl Sink for Jira {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        in_time(NAME, self.all(alert)).await
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
