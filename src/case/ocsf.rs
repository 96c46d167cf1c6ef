//! The sightings as OCSF Detection Findings (class 2004), one a line. No marker's value is in them.

use crate::{
    case::{report::Report, report::VERSION, words::harmless},
    domain::{incident::Severity, sighting::Class},
};
use jiff::Timestamp;
use serde_json::{Value, json};

const SCHEMA: &str = "1.4.0";

/// `sightings.ndjson`
pub fn lines(report: &Report) -> String {
    findings(report).iter().map(|finding| format!("{finding}\n")).collect()
}

fn findings(report: &Report) -> Vec<Value> {
    let (severity_id, severity) = match report.severity {
        Severity::Info => (1, "Informational"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let milliseconds = |at: Timestamp| at.as_millisecond();
    report
        .sightings
        .iter()
        .map(|seen| {
            let uid = format!("{}/{}", report.incident, seen.entry);
            let mut finding = json!({
                "activity_id": 1,
                "activity_name": "Create",
                "category_uid": 2,
                "category_name": "Findings",
                "class_uid": 2004,
                "class_name": "Detection Finding",
                "type_uid": 200_401,
                "type_name": "Detection Finding: Create",
                "time": milliseconds(seen.at),
                "severity_id": severity_id,
                "severity": severity,
                "status_id": 1,
                "status": "New",
                "is_alert": true,
                "message": happening(seen.class),
                "metadata": {
                    "version": SCHEMA,
                    "uid": uid,
                    "logged_time": milliseconds(seen.received_at),
                    "product": { "name": "Telltale", "vendor_name": "Telltale", "version": VERSION },
                },
                "finding_info": {
                    "uid": uid,
                    "title": happening(seen.class),
                    "created_time": milliseconds(seen.received_at),
                    "types": ["canary"],
                },
                "unmapped": {
                    "incident": report.incident,
                    "journal_entry": seen.entry,
                    "canary": seen.canary,
                    "marker_kind": seen.marker_kind,
                    "class": seen.class,
                    "mail": seen.mail,
                    "sensor": harmless(&seen.sensor),
                    "service": harmless(&seen.service),
                    "reporter": harmless(&seen.reporter),
                    "generation": seen.generation,
                    "drill": report.drill,
                },
            });
            if let Some(address) = seen.source_ip {
                finding["evidences"] = json!([{ "src_endpoint": { "ip": address } }]);
            }
            if let Some(store) = &seen.store {
                finding["resources"] = json!([{ "name": harmless(store), "type": "store" }]);
            }
            finding
        })
        .collect()
}

/// What happened to the canary.
pub fn happening(class: Class) -> &'static str {
    match class {
        Class::Dump => "A canary's data was found in leaked material",
        Class::Login => "A canary's login was tried",
        Class::Mail => "A canary's address was written to",
        Class::Document => "A canary's document was opened",
        Class::Preview => "A canary's document was looked up, or fetched by a program or within the house",
        Class::Read => "A canary was read where it stands",
        Class::Store => "A canary was changed, removed or copied in a store",
    }
}
