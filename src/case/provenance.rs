//! Where each thing in the case comes from, as a CASE/UCO graph in JSON-LD: who took what, when, by which means, and what
//! was made of it. Ids follow from what they name. It holds no value and names no person.

use crate::{
    case::{
        bundle::{Files, Sealed},
        gather::{Case, MaterialTaken},
        report::VERSION,
        stix::version_5,
        words::harmless,
    },
    flow::trace,
};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Ours: ids of nodes are made from it.
const OURS: uuid::Uuid = uuid::uuid!("1f0c7b1e-93c5-5b0e-8f0a-6d0b6d4f2a90");
/// What the verdict is told in, and what it was computed from.
const MADE: [&str; 4] = ["report.json", "report.html", "report.pdf", "placements.json"];

/// `case.jsonld`. `files` is what the bundle holds by now.
pub fn graph(case: &Case, origin: &str, entries: &[Sealed], files: &Files) -> String {
    let graph = Graph { case, origin };
    let mut nodes = vec![graph.organisation(), graph.tool()];
    let mut records: Vec<String> = Vec::new();

    // What each sensor reported, as sealed journal entries.
    let by_entry: BTreeMap<u64, &Sealed> = entries.iter().map(|sealed| (sealed.seq, sealed)).collect();
    let mut sensors: BTreeMap<&str, Vec<(&Sealed, Timestamp)>> = BTreeMap::new();
    for seen in &case.sightings {
        if let Some(sealed) = by_entry.get(&seen.sighting.id) {
            sensors.entry(&seen.sighting.sensor).or_default().push((sealed, seen.sighting.received_at));
        }
    }
    for (sensor, seen) in &sensors {
        let held: Vec<Value> = seen.iter().map(|(sealed, _)| graph.entry(sealed)).collect();
        let record = graph.record(&format!("sightings by {sensor}"), &held);
        let times = seen.iter().map(|(_, at)| *at);
        let what = if *sensor == trace::SENSOR {
            "Canaries were found in leaked material, and each finding was journaled".to_owned()
        } else {
            format!("The sensor {sensor} reported touches at canaries, and each was journaled")
        };
        nodes.push(graph.action(&format!("sensor {sensor}"), &what, (times.clone().min(), times.max()), &[], &record));
        records.push(id_of(&record));
        nodes.extend(held);
        nodes.push(record);
    }
    for taken in &case.materials {
        let file = graph.material(taken);
        let record = graph.record(&format!("evidence file {}", taken.file), std::slice::from_ref(&file));
        let what = "Leaked material was taken in, and sealed under a key of its own";
        nodes.push(graph.action(
            &format!("material {}", taken.file),
            what,
            (Some(taken.at), Some(taken.at)),
            &[],
            &record,
        ));
        records.push(id_of(&record));
        nodes.push(file);
        nodes.push(record);
    }
    let others: Vec<Value> = entries
        .iter()
        .filter(|sealed| !case.sightings.iter().any(|seen| seen.sighting.id == sealed.seq))
        .map(|sealed| graph.entry(sealed))
        .collect();
    if !others.is_empty() {
        let record = graph.record("journal", &others);
        records.push(id_of(&record));
        nodes.extend(others);
        nodes.push(record);
    }
    let made: Vec<Value> = MADE
        .iter()
        .filter_map(|name| Some((name, files.get(&format!("data/{name}"))?)))
        .map(|(name, bytes)| graph.file(name, &format!("data/{name}"), bytes.len() as u64, &digest(bytes), case.as_of))
        .collect();
    let record = graph.record("report", &made);
    let what = "The stores were weighed by what was seen, and the finding was put into words";
    nodes.push(graph.action("attribution", what, (Some(case.as_of), Some(case.as_of)), &records, &record));
    nodes.extend(made);
    nodes.push(record);
    let all: Vec<String> = nodes.iter().map(id_of).collect();
    nodes.push(graph.investigation(&all));
    let document = json!({
        "@context": {
            "kb": "http://example.org/kb/",
            "case-investigation": "https://ontology.caseontology.org/case/investigation/",
            "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
            "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
            "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
            "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
            "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
            "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@graph": nodes,
    });
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

struct Graph<'a> {
    case: &'a Case,
    origin: &'a str,
}

impl Graph<'_> {
    fn id(&self, kind: &str, name: &str) -> String {
        let name = format!("{} {} {kind} {name}", self.origin, self.case.incident.id);
        format!("kb:{kind}-{}", version_5(OURS, &name))
    }

    fn reference(&self, kind: &str, name: &str) -> Value {
        json!({ "@id": self.id(kind, name) })
    }

    fn organisation(&self) -> Value {
        json!({
            "@id": self.id("organization", ""),
            "@type": "uco-identity:Organization",
            "uco-core:name": harmless(&self.case.organisation),
        })
    }

    fn tool(&self) -> Value {
        json!({
            "@id": self.id("tool", ""),
            "@type": "uco-tool:Tool",
            "uco-core:name": "telltale",
            "uco-tool:version": VERSION,
        })
    }

    fn entry(&self, sealed: &Sealed) -> Value {
        let path = sealed.file();
        let name = format!("{}.entry", sealed.seq);
        self.file(&name, &path, sealed.bytes.len() as u64, &digest(&sealed.bytes), sealed.at)
    }

    fn material(&self, taken: &MaterialTaken) -> Value {
        let mut file = self.file(&taken.file, "", taken.bytes, &taken.sha256, taken.at);
        file["uco-core:description"] =
            json!("Leaked material as it was received. It is sealed in the evidence folder and not in this bundle.");
        file
    }

    fn file(&self, name: &str, path: &str, bytes: u64, sha256: &str, at: Timestamp) -> Value {
        let mut facet = json!({
            "@id": self.id("file-facet", name),
            "@type": "uco-observable:FileFacet",
            "uco-observable:fileName": name,
            "uco-observable:sizeInBytes": { "@type": "xsd:integer", "@value": bytes.to_string() },
        });
        if !path.is_empty() {
            facet["uco-observable:filePath"] = json!(path);
        }
        json!({
            "@id": self.id("file", name),
            "@type": "uco-observable:File",
            "uco-core:objectCreatedTime": moment(at),
            "uco-core:hasFacet": [facet, {
                "@id": self.id("content-data-facet", name),
                "@type": "uco-observable:ContentDataFacet",
                "uco-observable:hash": {
                    "@id": self.id("hash", name),
                    "@type": "uco-types:Hash",
                    "uco-types:hashMethod": "SHA256",
                    "uco-types:hashValue": { "@type": "xsd:hexBinary", "@value": sha256 },
                },
            }],
        })
    }

    fn record(&self, name: &str, objects: &[Value]) -> Value {
        json!({
            "@id": self.id("provenance-record", name),
            "@type": "case-investigation:ProvenanceRecord",
            "uco-core:description": harmless(name),
            "case-investigation:exhibitNumber": format!("{}/{}", self.case.incident.id, harmless(name)),
            "uco-core:object": objects.iter().map(|object| json!({ "@id": object["@id"] })).collect::<Vec<_>>(),
        })
    }

    fn action(
        &self,
        name: &str,
        what: &str,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        objects: &[String],
        result: &Value,
    ) -> Value {
        let mut action = json!({
            "@id": self.id("investigative-action", name),
            "@type": "case-investigation:InvestigativeAction",
            "uco-core:name": harmless(name),
            "uco-core:description": harmless(what),
            "uco-action:performer": self.reference("organization", ""),
            "uco-action:instrument": self.reference("tool", ""),
            "uco-action:result": { "@id": result["@id"] },
        });
        for (key, at) in [("uco-action:startTime", from), ("uco-action:endTime", to)] {
            if let Some(at) = at {
                action[key] = moment(at);
            }
        }
        if !objects.is_empty() {
            action["uco-action:object"] = objects.iter().map(|id| json!({ "@id": id })).collect();
        }
        action
    }

    fn investigation(&self, objects: &[String]) -> Value {
        json!({
            "@id": self.id("investigation", ""),
            "@type": "case-investigation:Investigation",
            "uco-core:name": format!("Incident {}", self.case.incident.id),
            "uco-core:description": if self.case.incident.drill { "A rehearsal: nothing real leaked." } else { "Canaries were seen where nobody has a reason to use them." },
            "uco-core:object": objects.iter().map(|id| json!({ "@id": id })).collect::<Vec<_>>(),
        })
    }
}

fn id_of(node: &Value) -> String {
    node["@id"].as_str().unwrap_or_default().to_owned()
}

fn moment(at: Timestamp) -> Value {
    json!({ "@type": "xsd:dateTime", "@value": at.to_string() })
}

fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
