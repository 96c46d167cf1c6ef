//! An alert as an OCSF Detection Finding (class 2004). An incident's alerts are one finding: created, updated, closed.

use crate::{
    domain::{
        alert::{Alert, AlertType},
        incident::Severity,
    },
    sinks::shape::{
        body::body,
        identity::{alert_key, subject_key},
        wording::{self, Wording, severity_name},
    },
};
use serde_json::{Value, json};

/// The version of the schema that the findings keep to.
const SCHEMA: &str = "1.5.0";
const CLASS: u32 = 2004;

/// The finding.
pub fn finding(alert: &Alert) -> Value {
    let wording = Wording::of(alert);
    let (activity, activity_name, status, status_name) = match alert.alert_type {
        AlertType::IncidentUpdated => (2, "Update", 2, "In Progress"),
        AlertType::IncidentClosed => (3, "Close", 4, "Resolved"),
        _ => (1, "Create", 1, "New"),
    };
    let (level, level_name) = match wording.severity {
        Severity::Info => (1, "Informational"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let mut info = json!({
        "uid": subject_key(alert),
        "title": format!("{}{}", wording.mark, wording.title),
        "desc": wording.summary,
        "types": ["Deception"],
        "created_time": alert.incident.as_ref().map_or(alert.at, |incident| incident.opened_at).as_millisecond(),
        "modified_time": alert.at.as_millisecond(),
    });
    if !alert.attack.is_empty() {
        let attack = |id: &String| {
            let id = webhooks::clean(id, 20);
            json!({"technique": {"uid": id, "name": technique(&id)}, "version": "16"})
        };
        info["attacks"] = alert.attack.iter().map(attack).collect();
    }
    if let Some(link) = wording::link(alert) {
        info["src_url"] = json!(link);
    }
    let mut finding = json!({
        "activity_id": activity, "activity_name": activity_name,
        "category_uid": 2, "category_name": "Findings",
        "class_uid": CLASS, "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity, "type_name": format!("Detection Finding: {activity_name}"),
        "time": alert.at.as_millisecond(),
        "severity_id": level, "severity": level_name,
        "status_id": status, "status": status_name,
        "is_alert": true,
        "message": format!("{}{}: {}", wording.mark, severity_name(wording.severity), wording.summary),
        "metadata": {
            "version": SCHEMA, "uid": alert_key(alert),
            "product": {"name": "Telltale", "vendor_name": "Telltale", "version": env!("CARGO_PKG_VERSION")},
            "labels": if wording.mark.is_empty() { json!(["live"]) } else { json!(["drill"]) },
        },
        "finding_info": info,
        // What no attribute of the class is for.
        "unmapped": {"telltale": body(alert)},
    });
    if let Some(incident) = &alert.incident {
        let resource = |store: &str| json!({"name": store, "type": "HR data store"});
        finding["resources"] =
            wording::stores(incident).split(", ").filter(|name| !name.is_empty()).map(resource).collect();
    }
    let evidence: Vec<Value> = alert
        .sightings
        .iter()
        .filter_map(|seen| {
            let service = webhooks::clean(&seen.service, 200);
            let mut evidence =
                json!({"src_endpoint": {"ip": seen.source_ip?.to_string()}, "dst_endpoint": {"svc_name": service}});
            if let Some(mail) = &seen.mail {
                evidence["data"] = json!({"mail": mail.without_names()});
            }
            Some(evidence)
        })
        .collect();
    if !evidence.is_empty() {
        finding["evidences"] = json!(evidence);
    }
    finding
}

/// What MITRE ATT&CK calls the techniques that alerts name; the id itself for any other.
fn technique(id: &str) -> &str {
    match id {
        "T1078" => "Valid Accounts",
        "T1083" => "File and Directory Discovery",
        "T1213" => "Data from Information Repositories",
        "T1566" => "Phishing",
        "T1589" => "Gather Victim Identity Information",
        "T1589.001" => "Credentials",
        "T1589.002" => "Email Addresses",
        other => other,
    }
}
