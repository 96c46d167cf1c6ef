//! Alerts to Elasticsearch or OpenSearch by `_bulk`, in the Elastic Common Schema. The document's id follows from the
//! alert, so a repetition is refused as a conflict, which is how we know that it is there.

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
            identity::{alert_key, subject_key},
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
use webhooks::Answer;

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "elasticsearch",
    about: "documents in Elasticsearch or OpenSearch (ECS)",
    build: Elastic::build,
    gathers: false,
};

/// The version of the schema that the documents keep to.
const SCHEMA: &str = "9.4.0";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    #[serde(default = "usual_index")]
    index: String,
    api_key: Option<Secret>,
    ca: Option<PathBuf>,
}

/// A data stream, which takes documents by `create` only.
fn usual_index() -> String {
    "logs-telltale.alert-default".to_owned()
}

struct Elastic {
    options: Options,
    post: Post,
    index: String,
    authorization: Option<Secret>,
}

impl Elastic {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if config.index.is_empty() || config.index.len() > 255 || !config.index.bytes().all(plain) {
            return Err(SectionError::new("index", "lower-case letters, digits, -, _ and . only, at most 255"));
        }
        let authorization = config.api_key.as_ref().map(|key| Secret::new(format!("ApiKey {}", key.reveal())));
        let authority = read_authority(section, config.ca.as_deref())?;
        let base = Post::new(config.url.reveal(), &options, authority)?;
        let path = format!("{}/_bulk", base.path().trim_end_matches('/'));
        let post = base.at(&path).hiding(config.api_key);
        Ok(Box::new(Elastic { options, post, index: config.index, authorization }))
    }

    /// An action and its document, a line each; the last line ends too.
    fn lines(&self, alert: &Alert) -> String {
        let action = json!({"create": {"_index": self.index, "_id": alert_key(alert)}});
        format!("{action}\n{}\n", document(alert))
    }
}

fn document(alert: &Alert) -> Value {
    let wording = Wording::of(alert);
    let severity = match wording.severity {
        Severity::Info => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    };
    let mut document = json!({
        "@timestamp": alert.at.to_string(),
        "ecs": {"version": SCHEMA},
        "message": format!("{}{}: {}", wording.mark, wording.title, wording.summary),
        "event": {
            "kind": "alert", "category": ["intrusion_detection"], "type": ["info"], "id": alert_key(alert),
            "module": "telltale", "dataset": "telltale.alert", "provider": "telltale", "severity": severity,
            "action": alert.alert_type.as_str(), "created": alert.at.to_string(),
        },
        "observer": {"vendor": "Telltale", "product": "Telltale", "version": env!("CARGO_PKG_VERSION"), "type": "deception"},
        "rule": {"name": "canary touched", "category": "deception", "ruleset": "telltale"},
        "tags": if wording.mark.is_empty() { json!([]) } else { json!(["drill"]) },
        // What no field of the schema is for.
        "telltale": {"alert": body(alert), "subject": subject_key(alert)},
    });
    if alert.alert_type == AlertType::SystemBlind {
        document["event"]["category"] = json!(["host"]);
        document["rule"]["name"] = json!("telltale cannot do its work");
    }
    if let Some(incident) = &alert.incident {
        document["event"]["start"] = json!(incident.opened_at.to_string());
        document["related"] = json!({"hosts": wording::stores(incident).split(", ").collect::<Vec<_>>()});
    }
    if let Some(last) = alert.sightings.last() {
        if let Some(address) = last.source_ip {
            document["source"] = json!({"ip": address.to_string()});
            document["related"]["ip"] = json!([address.to_string()]);
        }
        document["service"] = json!({"name": webhooks::clean(&last.service, 200)});
    }
    if !alert.attack.is_empty() {
        let techniques: Vec<String> = alert.attack.iter().map(|id| webhooks::clean(id, 20)).collect();
        document["threat"] = json!({"framework": "MITRE ATT&CK", "technique": {"id": techniques}});
    }
    if let Some(link) = wording::link(alert) {
        document["event"]["url"] = json!(link);
    }
    document
}

/// A `_bulk` answers 200 though it refused what was in it: each item counts.
fn judge(answer: Answer) -> Result<Receipt, SinkError> {
    if answer.status != 200 {
        return match answer.status {
            400 | 401 | 403 | 404 => Err(SinkError::GiveUp {
                why: format!("Elasticsearch answered {}: {}", answer.status, webhooks::clip(&answer.body, 300)),
                status: Some(answer.status),
            }),
            _ => settle("Elasticsearch", answer),
        };
    }
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let item = &said["items"][0]["create"];
    let status = item["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let why =
        format!("Elasticsearch refused the document ({status:?}): {}", webhooks::clip(&item["error"].to_string(), 300));
    match status {
        // A conflict: it is there already.
        Some(200 | 201 | 409) => Ok(Receipt { status, response: answer.body }),
        Some(429 | 500..=599) => Err(SinkError::Retry { why, status, after: answer.retry_after }),
        Some(_) => Err(SinkError::GiveUp { why, status }),
        None => Err(SinkError::Retry {
            why: format!("the receiver does not answer as `_bulk` does: {}", webhooks::clip(&answer.body, 200)),
            status: Some(answer.status),
            after: answer.retry_after,
        }),
    }
}

#[async_trait]
impl Sink for Elastic {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let mut headers = vec![("content-type", "application/x-ndjson")];
        headers.extend(self.authorization.iter().map(|line| ("authorization", line.reveal())));
        judge(self.post.send(&headers, self.lines(alert).into_bytes()).await?)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
