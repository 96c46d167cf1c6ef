//! Alerts to Splunk's HTTP Event Collector. Without acknowledgement a 200 only means that the request was understood;
//! with it an alert counts as delivered once Splunk says that it is indexed.

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
            post::{Post, in_time},
            wording::{self, Wording, severity_name},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use webhooks::Answer;

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "splunk", about: "events to Splunk's HTTP Event Collector", build: Splunk::build, gathers: false };

const COLLECT: &str = "/services/collector/event";
const ACKNOWLEDGE: &str = "/services/collector/ack";
/// How long an attempt waits for Splunk to have indexed, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);
/// Splunk's codes for what will not get better by itself: tokens, formats, indexes.
const FOR_GOOD: [i64; 13] = [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    token: Secret,
    index: Option<String>,
    #[serde(default = "usual_type")]
    sourcetype: String,
    #[serde(default)]
    acknowledge: bool,
    ca: Option<PathBuf>,
}

fn usual_type() -> String {
    "telltale:alert".to_owned()
}

struct Splunk {
    options: Options,
    collect: Post,
    acknowledge: Option<Post>,
    authorization: Secret,
    /// What tells Splunk whose acknowledgements are asked for.
    session: String,
    index: Option<String>,
    sourcetype: String,
    host: String,
}

impl Splunk {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let authority = read_authority(section, config.ca.as_deref())?;
        let authorization = Secret::new(format!("Splunk {}", config.token.reveal()));
        let base = Post::new(config.url.reveal(), &options, authority)?.hiding([config.token]);
        let collect = match base.path().trim_matches('/') {
            "" => base.at(COLLECT),
            path if path == COLLECT.trim_matches('/') => base,
            _ => return Err(SectionError::new("url", "expected https://host:8088, its path is known")),
        };
        Ok(Box::new(Splunk {
            options,
            acknowledge: config.acknowledge.then(|| collect.at(ACKNOWLEDGE)),
            collect,
            authorization,
            session: Uuid::now_v7().to_string(),
            index: config.index,
            sourcetype: config.sourcetype,
            host: hostname::get().unwrap_or_default().to_string_lossy().into_owned(),
        }))
    }

    /// One object; several would follow each other, they are no array.
    fn record(&self, alert: &Alert) -> Value {
        let wording = Wording::of(alert);
        let mut flat = json!({
            "alert_id": alert_key(alert), "subject_id": subject_key(alert), "alert_type": alert.alert_type.as_str(),
            "severity": severity_name(wording.severity).to_lowercase(), "drill": (!wording.mark.is_empty()).to_string(),
        });
        if let Some(incident) = &alert.incident {
            flat["incident"] = json!(webhooks::clean(&incident.id, 60));
            flat["verdict"] = json!(wording::verdict(incident));
            flat["stores"] = json!(wording::stores(incident));
        }
        let mut told = body(alert);
        told["title"] = json!(format!("{}{}", wording.mark, wording.title));
        let mut record = json!({
            // Epoch seconds with milliseconds, as text, so that no digit is rounded away.
            "time": format!("{}.{:03}", alert.at.as_second(), alert.at.as_millisecond().rem_euclid(1000)),
            "host": webhooks::clean(&self.host, 200), "source": "telltale", "sourcetype": self.sourcetype,
            "event": told, "fields": flat,
        });
        if let Some(index) = &self.index {
            record["index"] = json!(index);
        }
        record
    }

    async fn tell(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let until = Instant::now() + PATIENCE;
        let answer = self.ask(&self.collect, self.record(alert)).await?;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status != 200 || said["code"] != 0 {
            return Err(refusal(&answer, &said));
        }
        if let Some(post) = &self.acknowledge {
            let Some(number) = said["ackId"].as_i64() else {
                let why = "Splunk gives no ackId: switch indexer acknowledgement on for this token, or leave \
                           `acknowledge` out"
                    .to_owned();
                return Err(SinkError::GiveUp { why, status: Some(answer.status) });
            };
            self.indexed(post, number, until).await?;
        }
        Ok(Receipt { status: Some(answer.status), response: answer.body })
    }

    async fn ask(&self, post: &Post, body: Value) -> Result<Answer, SinkError> {
        let headers = [
            ("authorization", self.authorization.reveal()),
            ("content-type", "application/json"),
            ("x-splunk-request-channel", self.session.as_str()),
        ];
        post.send(&headers, body.to_string().into_bytes()).await
    }

    /// Waits until Splunk says that this one is indexed. It says so once only, so each answer counts.
    async fn indexed(&self, post: &Post, number: i64, until: Instant) -> Result<(), SinkError> {
        while Instant::now() < until {
            let answer = self.ask(post, json!({"acks": [number]})).await?;
            let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            if said["acks"][number.to_string()] == true {
                return Ok(());
            }
            if answer.status != 200 {
                return Err(refusal(&answer, &said));
            }
            sleep(PAUSE).await;
        }
        let why = "Splunk took the alert and did not say in 10 s that it is indexed: it is sent again".to_owned();
        Err(SinkError::Retry { why, status: Some(200), after: None })
    }
}

fn refusal(answer: &Answer, said: &Value) -> SinkError {
    let code = said["code"].as_i64();
    let status = Some(answer.status);
    let why = format!("Splunk answered {}: {}", answer.status, webhooks::clip(&answer.body, 300));
    match code {
        Some(code) if FOR_GOOD.contains(&code) => SinkError::GiveUp { why, status },
        _ => SinkError::Retry { why, status, after: answer.retry_after },
    }
}

#[async_trait]
impl Sink for Splunk {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        in_time("Splunk", self.tell(alert)).await
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.collect.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
