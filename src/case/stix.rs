//! The case as a STIX 2.1 bundle: the incident, what was observed, and how. Ids follow from what they name, so that the same
//! case has the same ids everywhere.

use crate::{
    case::{
        ocsf::happening,
        report::{Report, ReportSighting},
        words::harmless,
    },
    domain::sighting::Class,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The namespace that STIX itself gives for ids of observables.
const OBSERVABLES: uuid::Uuid = uuid::uuid!("00abedb4-aa42-466c-9c01-fed23315a9b7");
/// Ours, for everything else.
const OURS: uuid::Uuid = uuid::uuid!("6f1d1c0e-5a31-5c3a-9d0e-7c1f4a0b2e55");

/// `stix.json`
pub fn bundle(report: &Report, origin: &str) -> String {
    let made = Made { report, origin, stamp: stamp(report.as_of) };
    let mut objects = vec![made.organisation(), made.incident()];
    let mut patterns = BTreeSet::new();
    let mut observed: BTreeMap<Class, Vec<&ReportSighting>> = BTreeMap::new();
    for seen in &report.sightings {
        patterns.insert(technique(seen.class));
        observed.entry(seen.class).or_default().push(seen);
    }
    objects.extend(patterns.into_iter().map(|pattern| made.pattern(pattern)));
    let addresses: BTreeSet<IpAddr> = report.sightings.iter().filter_map(|seen| seen.source_ip).collect();
    objects.extend(addresses.iter().map(|address| address_object(*address)));
    objects.extend(report.sightings.iter().filter(|seen| seen.source_ip.is_some()).map(|seen| made.observation(seen)));
    objects.extend(report.sightings.iter().map(|seen| made.sighting(seen)));
    objects.push(made.note());
    let bundle = json!({ "type": "bundle", "id": made.id("bundle", &report.incident), "objects": objects });
    serde_json::to_string_pretty(&bundle).unwrap_or_default() + "\n"
}

struct Made<'a> {
    report: &'a Report,
    origin: &'a str,
    stamp: String,
}

impl Made<'_> {
    fn id(&self, kind: &str, name: &str) -> String {
        format!("{kind}--{}", version_5(OURS, &format!("{} {kind} {name}", self.origin)))
    }

    fn object(&self, kind: &str, name: &str, more: Value) -> Value {
        let mut object = json!({
            "type": kind,
            "spec_version": "2.1",
            "id": self.id(kind, name),
            "created": self.stamp,
            "modified": self.stamp,
        });
        if kind != "identity" {
            object["created_by_ref"] = json!(self.id("identity", "organisation"));
        }
        if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        object
    }

    fn organisation(&self) -> Value {
        let name = harmless(&self.report.organisation);
        self.object("identity", "organisation", json!({ "name": name, "identity_class": "organization" }))
    }

    fn incident(&self) -> Value {
        let name = format!("Canaries seen: {}", self.report.incident);
        self.object(
            "incident",
            &self.report.incident,
            json!({ "name": name, "description": harmless(&self.report.headline) }),
        )
    }

    fn pattern(&self, (technique, name): (&str, &str)) -> Value {
        let reference = json!({
            "source_name": "mitre-attack",
            "external_id": technique,
            "url": format!("https://attack.mitre.org/techniques/{}", technique.replace('.', "/")),
        });
        self.object("attack-pattern", technique, json!({ "name": name, "external_references": [reference] }))
    }

    fn observation(&self, seen: &ReportSighting) -> Value {
        let at = stamp(seen.at);
        let refs: Vec<String> = seen.source_ip.map(address_id).into_iter().collect();
        self.object(
            "observed-data",
            &seen.entry.to_string(),
            json!({ "first_observed": at, "last_observed": at, "number_observed": 1, "object_refs": refs }),
        )
    }

    fn sighting(&self, seen: &ReportSighting) -> Value {
        let at = stamp(seen.at);
        let mut more = json!({
            "description": match &seen.mail {
                Some(mail) => format!("{}: {}", happening(seen.class), harmless(&mail.in_words())),
                None => happening(seen.class).to_owned(),
            },
            "first_seen": at,
            "last_seen": at,
            "count": 1,
            "sighting_of_ref": self.id("attack-pattern", technique(seen.class).0),
            "where_sighted_refs": [self.id("identity", "organisation")],
            "external_references": [{
                "source_name": "telltale-journal",
                "external_id": seen.entry.to_string(),
                "description": format!("canary {}, {}, seen by {}", seen.canary, seen.marker_kind, harmless(&seen.sensor)),
            }],
        });
        if seen.source_ip.is_some() {
            more["observed_data_refs"] = json!([self.id("observed-data", &seen.entry.to_string())]);
        }
        self.object("sighting", &seen.entry.to_string(), more)
    }

    fn note(&self) -> Value {
        let content: Vec<String> = self.report.statements.iter().map(|line| harmless(line)).collect();
        self.object(
            "note",
            &self.report.incident,
            json!({
                "abstract": harmless(&self.report.headline),
                "content": content.join("\n"),
                "object_refs": [self.id("incident", &self.report.incident)],
            }),
        )
    }
}

/// MITRE ATT&CK's technique for what happened.
fn technique(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Login => ("T1078", "Valid Accounts"),
        Class::Mail => ("T1589.002", "Gather Victim Identity Information: Email Addresses"),
        Class::Dump | Class::Read => ("T1213", "Data from Information Repositories"),
        Class::Document | Class::Preview => ("T1083", "File and Directory Discovery"),
        Class::Store => ("T1565.001", "Stored Data Manipulation"),
    }
}

fn address_object(address: IpAddr) -> Value {
    let kind = if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    json!({ "type": kind, "spec_version": "2.1", "id": address_id(address), "value": address })
}

fn address_id(address: IpAddr) -> String {
    let kind = if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    format!("{kind}--{}", version_5(OBSERVABLES, &json!({ "value": address }).to_string()))
}

/// A UUID of version 5: the same name in the same namespace has the same.
pub fn version_5(namespace: uuid::Uuid, name: &str) -> uuid::Uuid {
    let digest = Sha1::new().chain_update(namespace.as_bytes()).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_has_the_id_that_the_standard_gives_it() {
        // As Python's uuid.uuid5 makes it of the namespace and the canonical JSON of the value.
        assert_eq!(
            super::address_id("198.51.100.3".parse().unwrap()),
            "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"
        );
    }
}
