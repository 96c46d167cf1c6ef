//! Alerts to Google SecOps as records of its Unified Data Model, by a service account. One alert is one record, known by its
//! `product_log_id`.

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
            oauth::Tokens,
            options::{Options, read, read_authority},
            post::{Post, in_time},
            wording::{self, Wording},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "secops", about: "UDM records in Google Security Operations", build: SecOps::build, gathers: false };

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    service_account: Secret,
    ca: Option<PathBuf>,
}

struct SecOps {
    options: Options,
    post: Post,
    tokens: Tokens,
}

impl SecOps {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let authority = read_authority(section, config.ca.as_deref())?;
        let tokens = Tokens::of_account(&config.service_account, &options, authority.clone(), SCOPE)?;
        let post = Post::new(config.url.reveal(), &options, authority)?;
        if !post.path().ends_with("/events:import") {
            let expected =
                "expected https://REGION-chronicle.googleapis.com/v1alpha/projects/…/instances/…/events:import";
            return Err(SectionError::new("url", expected));
        }
        Ok(Box::new(SecOps { options, post, tokens }))
    }

    async fn tell(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        self.tokens.post("SecOps", &self.post, &json!({"inline_source": {"events": [{"udm": udm(alert)}]}})).await
    }
}

fn udm(alert: &Alert) -> Value {
    let wording = Wording::of(alert);
    let (severity, priority) = match wording.severity {
        Severity::Critical => ("CRITICAL", "HIGH_PRIORITY"),
        Severity::High => ("HIGH", "HIGH_PRIORITY"),
        Severity::Medium => ("MEDIUM", "MEDIUM_PRIORITY"),
        Severity::Info => ("INFORMATIONAL", "LOW_PRIORITY"),
    };
    let mut result = json!({
        "summary": format!("{}{}", wording.mark, wording.title), "description": wording.summary, "severity": severity,
        "priority": priority, "rule_name": "canary touched", "threat_id": subject_key(alert), "alert_state": "ALERTING",
    });
    match alert.alert_type {
        AlertType::SinkTest => result["alert_state"] = json!("NOT_ALERTING"),
        AlertType::SystemBlind => result["rule_name"] = json!("telltale cannot do its work"),
        _ => result["category"] = json!(["DATA_EXFILTRATION"]),
    }
    if let Some(link) = wording::link(alert) {
        result["url_back_to_product"] = json!(link);
    }
    if !alert.attack.is_empty() {
        let technique = |id: &String| json!({"id": webhooks::clean(id, 20)});
        result["attack_details"] = json!({"techniques": alert.attack.iter().map(technique).collect::<Vec<_>>()});
    }
    let mut udm = json!({
        "metadata": {
            "event_timestamp": alert.at.to_string(), "event_type": "GENERIC_EVENT", "vendor_name": "Telltale",
            "product_name": "Telltale", "product_version": env!("CARGO_PKG_VERSION"), "product_log_id": alert_key(alert),
            "product_event_type": alert.alert_type.as_str(),
        },
        "observer": {"application": "telltale"},
        "target": {"application": "HR data"},
        "security_result": [result],
        "additional": {"drill": (!wording.mark.is_empty()).to_string(), "subject": subject_key(alert)},
    });
    let addresses: BTreeSet<String> =
        alert.sightings.iter().filter_map(|seen| seen.source_ip).map(|address| address.to_string()).collect();
    if !addresses.is_empty() {
        udm["principal"] = json!({"ip": addresses});
    }
    if let Some(incident) = &alert.incident {
        udm["target"]["resource"] = json!({"name": wording::stores(incident), "resource_type": "DATABASE"});
        udm["additional"]["verdict"] = json!(wording::verdict(incident));
        udm["additional"]["sightings"] = json!(incident.sightings.to_string());
    }
    udm
}

#[async_trait]
impl Sink for SecOps {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        in_time("SecOps", self.tell(alert)).await
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.tokens.probe().await?;
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
