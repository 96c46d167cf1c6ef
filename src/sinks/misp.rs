//! Alerts as events of MISP, one for an incident from its opening to its end; tests share one. MISP takes an edit only if it is
//! newer than what it has, in whole seconds, whoever wrote that: so each edit is, and an event says which alert it holds. What the organisation has
//! planted is in none of them, and of whoever used it the address, which no detection is to be built from.

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
            post::{Post, in_time, settle_strictly},
            wording::{self, Wording},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};
use tokio::sync::Mutex;
use uuid::Uuid;
use webhooks::{Answer, Method};

/// The row of this kind.
pub const ENTRY: Entry = Entry { kind: "misp", about: "events in MISP", build: Misp::build, gathers: false };

/// Stands before an alert's time in the comment of the attribute that names it.
const ALERT_OF: &str = "alert of ";
/// So much of an event is read; analysts may have added a lot.
const MOST_OF_AN_EVENT: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    key: Secret,
    ca: Option<PathBuf>,
}

struct Misp {
    options: Options,
    post: Post,
    key: Secret,
    turn: Mutex<()>,
}

impl Misp {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        if options.reveal {
            let message = "what is shared with others carries no marker's value: leave it out";
            return Err(SectionError::new("reveal", message));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let post = Post::new(config.url.reveal(), &options, authority)?.hiding([config.key.clone()]);
        Ok(Box::new(Misp { options, post, key: config.key, turn: Mutex::default() }))
    }

    /// Posts an event there; without one, asks for what is there.
    async fn ask(&self, path: &str, event: Option<&Value>) -> Result<Answer, SinkError> {
        let path = format!("{}{path}", self.post.path().trim_end_matches('/'));
        let headers = [
            ("authorization", self.key.reveal()),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ];
        match event {
            Some(event) => self.post.at(&path).send(&headers, event.to_string().into_bytes()).await,
            None => self.post.at(&path).by(Method::Get).keeping(MOST_OF_AN_EVENT).send(&headers, Vec::new()).await,
        }
    }

    async fn tell(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let answer = self.ask("/events/add", Some(&event(alert, alert.at.as_second()))).await?;
        if !answer.body.contains("already exists") {
            return settle_strictly("MISP", answer);
        }
        // One at a time: two alerts of one incident would overwrite each other.
        let _turn = self.turn.lock().await;
        let id = id(alert, "event");
        let seen = self.ask(&format!("/events/view/{id}"), None).await?;
        if seen.status != 200 {
            settle_strictly("MISP", seen)?;
            return Err(retry("MISP does not show the event that it has".to_owned()));
        }
        let stored = Stored::read(alert, &seen.body);
        if stored.has(alert) {
            return Ok(Receipt { status: Some(seen.status), response: "it has this alert, or a later one".to_owned() });
        }
        let newer = Timestamp::now().as_second().max(stored.timestamp.saturating_add(1));
        let mut edit = event(alert, newer);
        keep_sharing(&mut edit);
        let answer = self.ask(&format!("/events/edit/{id}"), Some(&edit)).await?;
        // Somebody wrote to it in between.
        if answer.body.contains("not newer") {
            return Err(retry("MISP has a newer event than it showed: it is looked at again".to_owned()));
        }
        settle_strictly("MISP", answer)
    }
}

fn retry(why: String) -> SinkError {
    SinkError::Retry { why, status: None, after: None }
}

/// What MISP has of an event of ours.
#[derive(Debug, Default, PartialEq)]
struct Stored {
    timestamp: i64,
    /// The key and the time of the alert that was written there last.
    alert: Option<(String, Timestamp)>,
}

impl Stored {
    fn read(alert: &Alert, body: &str) -> Stored {
        let seen: Value = serde_json::from_str(body).unwrap_or_default();
        let event = &seen["Event"];
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_i64());
        // Of an event too long to be read as a whole, at least how new it is: that stands before all that it holds.
        let start = || {
            let rest = body.split_once("\"timestamp\":")?.1.trim_start_matches(['"', ' ']);
            rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
        };
        let marker = id(alert, "alert");
        let attributes = event["Attribute"].as_array().into_iter().flatten();
        let ours = attributes.into_iter().find(|attribute| attribute["uuid"] == marker.as_str());
        let told = ours.and_then(|ours| {
            let at = ours["comment"].as_str()?.strip_prefix(ALERT_OF)?.parse().ok()?;
            Some((ours["value"].as_str()?.to_owned(), at))
        });
        Stored { timestamp: number(&event["timestamp"]).or_else(start).unwrap_or(0), alert: told }
    }

    fn has(&self, alert: &Alert) -> bool {
        self.alert.as_ref().is_some_and(|(key, at)| *key == alert_key(alert) || *at > alert.at)
    }
}

/// What an analyst decided of whom it is shared with stays: an edit says nothing of it.
fn keep_sharing(event: &mut Value) {
    let without = |value: &mut Value| {
        if let Some(fields) = value.as_object_mut() {
            fields.remove("distribution");
            fields.remove("published");
        }
    };
    without(&mut event["Event"]);
    event["Event"]["Attribute"].as_array_mut().into_iter().flatten().for_each(without);
}

/// The event's id, or that of something in it: the same for every alert about the same.
fn id(alert: &Alert, what: &str) -> String {
    let subject = if alert.alert_type == AlertType::SinkTest { "test".to_owned() } else { subject_key(alert) };
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("telltale:{subject}:{what}").as_bytes()).to_string()
}

fn event(alert: &Alert, at: i64) -> Value {
    let wording = Wording::of(alert);
    let id = |what: &str| id(alert, what);
    let level = match wording.severity {
        Severity::Critical => "1",
        Severity::High => "2",
        Severity::Medium => "3",
        Severity::Info => "4",
    };
    let at = at.to_string();
    let attribute = |category: &str, kind: &str, value: &str, comment: &str| {
        json!({
            "uuid": id(&format!("{kind}:{value}")), "category": category, "type": kind, "value": value,
            "comment": comment, "to_ids": false, "distribution": "5", "timestamp": at, "disable_correlation": kind != "ip-src",
        })
    };
    let mut attributes =
        vec![attribute("Internal reference", "text", &alert_key(alert), &format!("{ALERT_OF}{}", alert.at))];
    attributes[0]["uuid"] = json!(id("alert"));
    if !wording.summary.is_empty() {
        attributes.push(attribute("Other", "comment", &wording.summary, ""));
        attributes[1]["uuid"] = json!(id("summary"));
    }
    let addresses: BTreeSet<String> =
        alert.sightings.iter().filter_map(|seen| seen.source_ip).map(|address| address.to_string()).collect();
    attributes.extend(addresses.iter().map(|ip| attribute("Network activity", "ip-src", ip, "touched a canary")));
    if let Some(link) = wording::link(alert) {
        attributes.push(attribute("External analysis", "link", &link, "the incident"));
    }
    let mut tags =
        vec![json!({"name": "tlp:amber"}), json!({"name": format!("telltale:type=\"{}\"", alert.alert_type.as_str())})];
    if !wording.mark.is_empty() {
        tags.push(json!({"name": "telltale:drill"}));
    }
    json!({"Event": {
        "uuid": id("event"),
        "info": webhooks::clean(&format!("{}{}", wording.mark, wording.title), 500),
        "date": alert.incident.as_ref().map_or(alert.at, |incident| incident.opened_at).strftime("%Y-%m-%d").to_string(),
        "timestamp": at, "published": false, "distribution": "0", "threat_level_id": level,
        "analysis": match alert.alert_type {
            AlertType::IncidentClosed | AlertType::SinkTest => "2",
            AlertType::IncidentUpdated => "1",
            _ => "0",
        },
        "Attribute": attributes, "Tag": tags,
    }})
}

#[async_trait]
impl Sink for Misp {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        in_time("MISP", self.tell(alert)).await
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
