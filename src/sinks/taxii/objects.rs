//! One alert as STIX 2.1 objects: who says it, the incident, the addresses that used a canary, and that they were seen. Their
//! ids follow from the alert, so that a repetition makes nothing new.

use crate::{
    domain::alert::Alert,
    sinks::shape::{
        identity::{alert_key, subject_key},
        wording::{self, Wording},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, net::IpAddr};
use uuid::{Builder, Uuid};

/// The standard's own namespace, for what is observed.
const OBSERVED: Uuid = Uuid::from_u128(0x00abedb4_aa42_466c_9c01_fed23315a9b7);
/// TLP:AMBER, which the standard defines.
const AMBER: &str = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82";
const SINCE: &str = "2026-01-01T00:00:00.000Z";

/// The objects, those that others refer to first.
pub fn objects(alert: &Alert) -> Vec<Value> {
    let wording = Wording::of(alert);
    let speaker = id("identity", "telltale");
    let at = time(alert.at);
    let title = format!("{}{}", wording.mark, wording.title);
    let mut found = vec![json!({
        "type": "identity", "spec_version": "2.1", "id": speaker, "created": SINCE, "modified": SINCE,
        "name": "Telltale", "description": "Canaries in HR stores", "identity_class": "system",
    })];
    let ours = |kind: &str, key: &str, created: &str| {
        json!({
            "type": kind, "spec_version": "2.1", "id": id(kind, key), "created_by_ref": speaker, "created": created,
            "modified": at, "object_marking_refs": [AMBER], "labels": labels(&wording),
        })
    };
    let Some(incident) = &alert.incident else {
        let mut note = ours("note", &alert_key(alert), &at);
        note["abstract"] = json!(title);
        note["content"] = json!(if wording.summary.is_empty() { &title } else { &wording.summary });
        note["object_refs"] = json!([speaker]);
        found.push(note);
        return found;
    };
    let mut told = ours("incident", &subject_key(alert), &time(incident.opened_at.min(alert.at)));
    told["name"] = json!(title);
    told["description"] = json!(if wording.summary.is_empty() { &title } else { &wording.summary });
    told["external_references"] = references(alert);
    found.push(told);

    let addresses: BTreeSet<IpAddr> = alert.sightings.iter().filter_map(|seen| seen.source_ip).collect();
    let times: Vec<Timestamp> = alert.sightings.iter().map(|seen| seen.at).collect();
    let (Some(first), Some(last), false) = (times.iter().min(), times.iter().max(), addresses.is_empty()) else {
        return found;
    };
    let (first, last) = (time(*first), time(*last));
    let observed: Vec<Value> = addresses.iter().map(|address| observable(*address)).collect();
    let references: Vec<Value> = observed.iter().map(|object| object["id"].clone()).collect();
    let count = incident.sightings.clamp(1, 999_999_999);

    let mut data = ours("observed-data", &alert_key(alert), &at);
    data["first_observed"] = json!(first);
    data["last_observed"] = json!(last);
    data["number_observed"] = json!(count);
    data["object_refs"] = json!(references);
    let mut indicator = ours("indicator", &alert_key(alert), &at);
    let pattern: Vec<String> =
        addresses.iter().map(|address| format!("[{}:value = '{address}']", family(*address))).collect();
    indicator["name"] = json!("An address that used a canary");
    indicator["description"] = json!("Nobody real has what was used from here: it was planted, and copied.");
    indicator["indicator_types"] = json!(["compromised"]);
    indicator["pattern"] = json!(pattern.join(" OR "));
    indicator["pattern_type"] = json!("stix");
    indicator["valid_from"] = json!(first);
    let mut sighting = ours("sighting", &alert_key(alert), &at);
    sighting["sighting_of_ref"] = indicator["id"].clone();
    sighting["observed_data_refs"] = json!([data["id"]]);
    sighting["where_sighted_refs"] = json!([speaker]);
    sighting["first_seen"] = json!(first);
    sighting["last_seen"] = json!(last);
    sighting["count"] = json!(count);
    found.extend(observed);
    found.extend([data, indicator, sighting]);
    found
}

fn labels(wording: &Wording) -> Value {
    let mut labels = vec!["telltale"];
    if !wording.mark.is_empty() {
        labels.push("drill");
    }
    json!(labels)
}

fn references(alert: &Alert) -> Value {
    let mut known = json!({"source_name": "telltale", "external_id": subject_key(alert)});
    if let Some(link) = wording::link(alert) {
        known["url"] = json!(link);
    }
    let attack =
        alert.attack.iter().map(|id| json!({"source_name": "mitre-attack", "external_id": webhooks::clean(id, 20)}));
    std::iter::once(known).chain(attack).collect()
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" }
}

fn observable(address: IpAddr) -> Value {
    let value = json!({"value": address.to_string()});
    let id = Uuid::new_v5(&OBSERVED, value.to_string().as_bytes());
    json!({"type": family(address), "spec_version": "2.1", "id": format!("{}--{id}", family(address)), "value": value["value"]})
}

/// In the form of a random one, as receivers expect; the same for the same key.
fn id(kind: &str, key: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(format!("telltale {kind} {key}")).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    format!("{kind}--{}", Builder::from_random_bytes(bytes).into_uuid())
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
