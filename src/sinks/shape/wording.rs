//! An alert in people's words: one title, and facts as label and value, the same for every sink that people read.
//! Values are made harmless here already; a sink escapes its own syntax on top.

use crate::domain::{
    alert::{Alert, AlertType, Gathered},
    incident::{Incident, Severity},
    verdict::{Outcome, StoreScore},
};
use serde_json::json;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

const LONGEST: usize = 1000;
const MOST_NAMES: usize = 12;
/// The lines of a digest, by number: each label stands once, as some receivers need it.
const LINES: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The words of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Wording {
    pub severity: Severity,
    /// `[DRILL] ` or `[TEST] `; empty where it is real.
    pub mark: &'static str,
    /// "payroll leaked"
    pub title: String,
    pub summary: String,
    /// Label and value, at most ten.
    pub facts: Vec<(&'static str, String)>,
    pub why_not: Vec<String>,
}

/// The severity's name as people read it.
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFO",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

impl Wording {
    /// Finds the words.
    pub fn of(alert: &Alert) -> Self {
        let severity = match (&alert.incident, alert.alert_type) {
            (Some(incident), _) => incident.severity,
            (None, AlertType::SystemBlind) => Severity::High,
            (None, AlertType::IncidentDigest) => {
                alert.gathered.iter().map(|one| one.severity).max().unwrap_or(Severity::Info)
            }
            (None, _) => Severity::Info,
        };
        let mark = match alert.alert_type {
            AlertType::SinkTest => "[TEST] ",
            _ if alert.drill || alert.incident.as_ref().is_some_and(|incident| incident.drill) => "[DRILL] ",
            _ => "",
        };
        let (title, facts, why_not) = match &alert.incident {
            Some(incident) => (title(alert.alert_type, incident), facts(alert, incident), why_not(incident)),
            None if alert.alert_type == AlertType::SystemBlind => ("Telltale may be blind".to_owned(), vec![], vec![]),
            None if alert.alert_type == AlertType::IncidentDigest => {
                (format!("digest of {} alerts", alert.gathered.len()), gathered(alert), vec![])
            }
            None => ("test alert".to_owned(), vec![], vec![]),
        };
        Wording { severity, mark, title, summary: plain(&alert.summary), facts, why_not }
    }

    /// What the payload templates know.
    pub fn context(&self, alert: &Alert) -> serde_json::Value {
        let facts: Vec<_> = self.facts.iter().map(|(label, value)| json!({"label": label, "value": value})).collect();
        json!({
            "mark": self.mark, "severity": severity_name(self.severity), "title": self.title, "summary": self.summary,
            "facts": facts, "why_not": self.why_not, "id": plain(&alert.id), "type": alert.alert_type.as_str(),
            "at": alert.at.to_string(), "link": link(alert),
        })
    }
}

/// The incident's page, if it is an address that people can safely be sent to.
pub fn link(alert: &Alert) -> Option<String> {
    let url = url::Url::parse(alert.link.as_deref()?).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= 500).then(|| url.to_string())
}

/// The techniques of ATT&CK that the alert names, and those of D3FEND, joined.
pub fn techniques(alert: &Alert) -> String {
    names(alert.attack.iter().map(String::as_str).chain(defend(alert)))
}

/// MITRE D3FEND's techniques by which it was seen, each the counterpart of one of ATT&CK that the alert names.
pub fn defend(alert: &Alert) -> BTreeSet<&'static str> {
    let decoy = |technique: &String| match technique.as_str() {
        // A decoy user credential; a decoy persona; a decoy file; a decoy object, as a row of a store is.
        "T1078" => Some("D3-DUC"),
        "T1566" => Some("D3-DP"),
        "T1083" => Some("D3-DF"),
        "T1213" => Some("D3-DO"),
        _ => None,
    };
    alert.attack.iter().filter_map(decoy).collect()
}

/// The stores that the verdict accuses, or else those that it may be, joined.
pub fn stores(incident: &Incident) -> String {
    let accused: Vec<_> = incident.attribution.stores.iter().filter(|score| score.accused).collect();
    match accused.is_empty() {
        false => names(accused.iter().map(|score| score.store.as_str())),
        true => names(incident.stores.iter().map(String::as_str)),
    }
}

/// The verdict in one word, as `trace --json` writes it.
pub fn verdict(incident: &Incident) -> &'static str {
    match incident.attribution.verdict {
        Outcome::Attributed => "attributed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NothingFound => "nothing_found",
    }
}

/// The likelihood ratio of the best candidate, where it is known and a number.
pub fn log10_lr(incident: &Incident) -> Option<f64> {
    incident.attribution.stores.first().and_then(|score| score.log10_lr).filter(|ratio| ratio.is_finite())
}

/// The values that were seen, each with its kind and canary; empty for a sink that may not have them.
pub fn markers(alert: &Alert) -> String {
    let told: Vec<String> = alert
        .revealed
        .iter()
        .map(|seen| webhooks::clean(&format!("{} {} ({})", seen.marker.kind, seen.marker.value, seen.canary), 200))
        .collect();
    told.join(", ")
}

/// What the last mail is, where the last sighting is one.
pub fn mail(alert: &Alert) -> Option<String> {
    let mail = alert.sightings.last()?.mail.as_ref()?;
    Some(webhooks::clean(&mail.in_words(), 400))
}

/// When the copy was taken.
pub fn window(incident: &Incident) -> Option<String> {
    incident.attribution.window.as_ref().map(|window| format!("{} to {}", window.from, window.to))
}

/// The first names, and how many more.
pub fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = names.collect();
    let mut shown: Vec<_> = all.iter().take(MOST_NAMES).map(|name| webhooks::clean(name, 100)).collect();
    if all.len() > MOST_NAMES {
        shown.push(format!("{} more", all.len() - MOST_NAMES));
    }
    shown.join(", ")
}

fn title(alert_type: AlertType, incident: &Incident) -> String {
    let stores = stores(incident);
    let what = match (incident.attribution.verdict, stores.is_empty()) {
        (Outcome::Attributed, false) => format!("{stores} leaked"),
        (_, false) => format!("leak, not yet certain from where (candidates: {stores})"),
        (_, true) => "canaries were touched".to_owned(),
    };
    let prefix = match alert_type {
        AlertType::IncidentUpdated => "update: ",
        AlertType::IncidentClosed => "closed: ",
        _ => "",
    };
    webhooks::clip(&format!("{prefix}{what}"), 300)
}

fn facts(alert: &Alert, incident: &Incident) -> Vec<(&'static str, String)> {
    let verdict = &incident.attribution;
    let mut facts = vec![("Store", stores(incident))];
    if let Some(best) = verdict.stores.first() {
        facts.push(("Confidence", confidence(best)));
    }
    if let Some(window) = window(incident) {
        facts.push(("Copy taken", window));
    }
    facts.push(("Sensors", names(incident.sensors.iter().map(String::as_str))));
    facts.push(("Sightings", incident.sightings.to_string()));
    let canaries: Vec<_> = incident.canaries.iter().map(ToString::to_string).collect();
    facts.push(("Canaries", format!("{}: {}", canaries.len(), names(canaries.iter().map(String::as_str)))));
    if let Some(last) = alert.sightings.last() {
        let source = last.source_ip.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        let service = webhooks::clean(&last.service, 120);
        let mail = mail(alert).map(|mail| format!(": {mail}")).unwrap_or_default();
        let text = format!("{} at {service} from {source}, {}{mail}", last.marker_kind, last.at);
        facts.push(("Last seen", plain(&text)));
    }
    if !alert.attack.is_empty() {
        facts.push(("ATT&CK, D3FEND", techniques(alert)));
    }
    facts.push(("Markers", markers(alert)));
    facts.push(("Incident", plain(&incident.id)));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// The incidents of a digest, a line each: the gravest first, then the one that waited longest. A line tells what was last
/// said of its incident.
pub fn lines(alert: &Alert) -> Vec<String> {
    let mut incidents: BTreeMap<&str, (Severity, usize, &Gathered)> = BTreeMap::new();
    for one in &alert.gathered {
        let (severity, count, last) = incidents.entry(&one.incident).or_insert((one.severity, 0, one));
        (*severity, *count) = ((*severity).max(one.severity), *count + 1);
        if one.at >= last.at {
            *last = one;
        }
    }
    let mut incidents: Vec<_> = incidents.into_values().collect();
    incidents.sort_by_key(|(severity, _, last)| (Reverse(*severity), last.at));
    let line = |(severity, count, last): (Severity, usize, &Gathered)| {
        let (severity, at) = (severity_name(severity), last.at.strftime("%Y-%m-%d %H:%M UTC"));
        let many = if count > 1 { format!(", the last of {count} alerts") } else { String::new() };
        webhooks::clip(&plain(&format!("{severity} {}, {at}{many}: {}", last.incident, last.summary)), 300)
    };
    incidents.into_iter().map(line).collect()
}

/// The first lines of a digest, and how many there are besides.
fn gathered(alert: &Alert) -> Vec<(&'static str, String)> {
    let lines = lines(alert);
    let left_out = lines.len().saturating_sub(LINES.len());
    let rest = (left_out > 0).then(|| ("Besides", format!("{left_out} more, none of them graver")));
    LINES.into_iter().zip(lines).chain(rest).collect()
}

fn confidence(best: &StoreScore) -> String {
    let ratio = best.log10_lr.filter(|ratio| ratio.is_finite()).map(|ratio| format!("log10 LR {ratio:.1}"));
    let posterior = best.posterior.filter(|share| share.is_finite()).map(|share| format!("posterior {share:.7}"));
    let said: Vec<_> = ratio.into_iter().chain(posterior).collect();
    if said.is_empty() { "not computed".to_owned() } else { said.join(", ") }
}

fn why_not(incident: &Incident) -> Vec<String> {
    incident.attribution.why_not.iter().take(10).map(|reason| webhooks::clean(reason, 300)).collect()
}

fn plain(text: &str) -> String {
    webhooks::clean(text, LONGEST)
}
