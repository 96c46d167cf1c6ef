//! Alerts as events of MISP, one for an incident from its opening to its end; tests share one. What the organisation has
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
            post::{Post, settle_strictly},
            wording::{self, Wording},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};
use uuid::Uuid;
use webhooks::Answer;

/// The row of this kind.
pub const ENTRY: Entry = Entry { kind: "misp", about: "events in MISP", build: Misp::build, gathers: false };

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
        Ok(Box::new(Misp { options, post, key: config.key }))
    }

    async fn ask(&self, path: &str, event: &Value) -> Result<Answer, SinkError> {
        let path = format!("{}{path}", self.post.path().trim_end_matches('/'));
        let headers = [
            ("authorization", self.key.reveal()),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ];
        self.post.at(&path).send(&headers, event.to_string().into_bytes()).await
    }
}

fn event(alert: &Alert) -> Value {
    let wording = Wording::of(alert);
    let subject = if alert.alert_type == AlertType::SinkTest { "test".to_owned() } else { subject_key(alert) };
    let id =
        |what: &str| Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("telltale:{subject}:{what}").as_bytes()).to_string();
    let level = match wording.severity {
        Severity::Critical => "1",
        Severity::High => "2",
        Severity::Medium => "3",
        Severity::Info => "4",
    };
    let at = alert.at.as_second().to_string();
    let attribute = |category: &str, kind: &str, value: &str, comment: &str| {
        json!({
            "uuid": id(&format!("{kind}:{value}")), "category": category, "type": kind, "value": value,
            "comment": comment, "to_ids": false, "distribution": "5", "timestamp": at, "disable_correlation": kind != "ip-src",
        })
    };
    let mut attributes = vec![attribute("Internal reference", "text", &alert_key(alert), "alert")];
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
        let event = event(alert);
        let answer = self.ask("/events/add", &event).await?;
        if !answer.body.contains("already exists") {
            return settle_strictly("MISP", answer);
        }
        let id = event["Event"]["uuid"].as_str().unwrap_or_default();
        let answer = self.ask(&format!("/events/edit/{id}"), &event).await?;
        // An event that is as new as this has it.
        if answer.body.contains("not newer") {
            return Ok(Receipt { status: Some(answer.status), response: answer.body });
        }
        settle_strictly("MISP", answer)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
