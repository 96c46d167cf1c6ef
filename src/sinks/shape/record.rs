//! An alert as one syslog line: RFC 5424, with structured data, CEF or LEEF in it. Whatever hostile text an alert
//! holds, one record stays one line, and no value ends its own field.

use crate::{
    domain::{alert::Alert, incident::Severity},
    sinks::shape::wording::{self, Wording},
};

/// Documentation's enterprise number, until we have our own.
const ENTERPRISE: &str = "telltale@32473";
/// Security messages, private.
const FACILITY: u8 = 10;

/// What the line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Cef,
    Leef,
    Rfc5424,
}

/// The line, at most `most` bytes long: with shorter values where it would be longer.
pub fn record(alert: &Alert, format: Format, host: &str, most: usize) -> String {
    let mut line = String::new();
    for limit in [900, 250, 80, 24] {
        line = write(alert, format, host, limit);
        if line.len() <= most {
            break;
        }
    }
    line
}

fn write(alert: &Alert, format: Format, host: &str, limit: usize) -> String {
    let wording = Wording::of(alert);
    let priority = FACILITY * 8 + syslog_severity(wording.severity);
    let at = alert.at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
    let header =
        format!("<{priority}>1 {at} {} telltale {} {}", name(host), std::process::id(), alert.alert_type.as_str());
    match format {
        Format::Rfc5424 => {
            let data: String = fields(alert, &wording)
                .into_iter()
                .map(|(key, value)| {
                    format!(" {key}=\"{}\"", escape(&webhooks::clean(&value, limit), &['"', '\\', ']']))
                })
                .collect();
            let message =
                webhooks::clean(&format!("{}{}: {}", wording.mark, wording.title, wording.summary), 2 * limit);
            format!("{header} [{ENTERPRISE}{data}] \u{feff}{message}")
        }
        Format::Cef => format!("{header} - {}", cef(alert, &wording, limit)),
        Format::Leef => format!("{header} - {}", leef(alert, &wording, limit)),
    }
}

fn fields(alert: &Alert, wording: &Wording) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("alert", alert.id.clone()),
        ("type", alert.alert_type.as_str().to_owned()),
        ("severity", wording::severity_name(wording.severity).to_lowercase()),
        ("drill", (!wording.mark.is_empty()).to_string()),
    ];
    if let Some(incident) = &alert.incident {
        fields.push(("incident", incident.id.clone()));
        fields.push(("verdict", wording::verdict(incident).to_owned()));
        fields.push(("stores", wording::stores(incident)));
        fields.extend(wording::log10_lr(incident).map(|ratio| ("log10_lr", format!("{ratio:.3}"))));
        fields.extend(wording::window(incident).map(|window| ("window", window)));
        fields.push(("sensors", wording::names(incident.sensors.iter().map(String::as_str))));
        fields.push(("sightings", incident.sightings.to_string()));
        fields.push(("canaries", canaries(alert)));
    }
    if let Some(last) = alert.sightings.last() {
        fields.extend(last.source_ip.map(|address| ("source_ip", address.to_string())));
        fields.push(("service", last.service.clone()));
        fields.push(("marker_kind", last.marker_kind.to_string()));
        fields.extend(wording::mail(alert).map(|mail| ("mail", mail)));
    }
    fields.push(("markers", wording::markers(alert)));
    fields.push(("attack", alert.attack.join(" ")));
    fields.push(("defend", wording::defend(alert).into_iter().collect::<Vec<_>>().join(" ")));
    fields.extend(wording::link(alert).map(|link| ("link", link)));
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

fn cef(alert: &Alert, wording: &Wording, limit: usize) -> String {
    let header = |text: &str, most| escape(&webhooks::clean(text, most), &['\\', '|']);
    let title = header(&format!("{}{}", wording.mark, wording.title), limit.min(500));
    let level = match wording.severity {
        Severity::Info => 1,
        Severity::Medium => 5,
        Severity::High => 7,
        Severity::Critical => 10,
    };
    let kind = alert.alert_type.as_str();
    let mut extension: Vec<(&str, String)> = vec![
        ("rt", alert.at.as_millisecond().to_string()),
        ("externalId", webhooks::clean(&alert.id, 40)),
        ("cat", kind.to_owned()),
        ("msg", webhooks::clean(&wording.summary, limit.min(1000))),
    ];
    let mut labelled = |key: &'static str, label_key: &'static str, label: &str, value: String| {
        if !value.is_empty() {
            extension.push((label_key, label.to_owned()));
            extension.push((key, value));
        }
    };
    if let Some(incident) = &alert.incident {
        labelled("cs1", "cs1Label", "store", wording::stores(incident));
        labelled("cs2", "cs2Label", "verdict", wording::verdict(incident).to_owned());
        labelled("cs3", "cs3Label", "sensors", wording::names(incident.sensors.iter().map(String::as_str)));
        labelled("cs4", "cs4Label", "canaries", canaries(alert));
        labelled("cs5", "cs5Label", "copy taken", wording::window(incident).unwrap_or_default());
        labelled("cs6", "cs6Label", "incident", incident.id.clone());
        labelled("cn1", "cn1Label", "sightings", incident.sightings.to_string());
        let ratio = wording::log10_lr(incident).map(|ratio| format!("{ratio:.3}"));
        labelled("cfp1", "cfp1Label", "log10 LR", ratio.unwrap_or_default());
    }
    labelled("flexString1", "flexString1Label", "markers", wording::markers(alert));
    labelled("flexString2", "flexString2Label", "ATT&CK, D3FEND", wording::techniques(alert));
    if let Some(last) = alert.sightings.last() {
        extension
            .extend(last.source_ip.filter(|address| address.is_ipv4()).map(|address| ("src", address.to_string())));
        extension.push(("destinationServiceName", webhooks::clean(&last.service, 200)));
        extension.extend(wording::mail(alert).map(|mail| ("reason", mail)));
    }
    extension.extend(wording::link(alert).map(|link| ("request", link)));
    let extension: Vec<_> = extension
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", escape(&webhooks::clean(&value, limit), &['\\', '='])))
        .collect();
    format!(
        "CEF:0|Telltale|Telltale|{}|{}|{title}|{level}|{}",
        header(env!("CARGO_PKG_VERSION"), 31),
        header(kind, 100),
        extension.join(" ")
    )
}

/// LEEF 2.0. It knows no escape: whatever would end a value is taken out of it.
fn leef(alert: &Alert, wording: &Wording, limit: usize) -> String {
    let header = |text: &str, most| webhooks::clean(text, most).replace(['|', '^'], " ");
    let level = match wording.severity {
        Severity::Info => 1,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let mut pairs = vec![
        ("devTime", alert.at.as_millisecond().to_string()),
        ("cat", alert.alert_type.as_str().to_owned()),
        ("sev", level.to_string()),
        ("msg", format!("{}{}: {}", wording.mark, wording.title, wording.summary)),
    ];
    // Its own key for an address is one that its receivers know; the rest are ours.
    let known = |key| if key == "source_ip" { "src" } else { key };
    pairs.extend(fields(alert, wording).into_iter().map(|(key, value)| (known(key), value)));
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key}={}", webhooks::clean(&value, limit).replace('^', " ")))
        .collect();
    format!(
        "LEEF:2.0|Telltale|Telltale|{}|{}|^|{}",
        header(env!("CARGO_PKG_VERSION"), 31),
        header(alert.alert_type.as_str(), 100),
        pairs.join("^")
    )
}

fn canaries(alert: &Alert) -> String {
    let ids: Vec<_> = alert.incident.iter().flat_map(|incident| &incident.canaries).map(ToString::to_string).collect();
    wording::names(ids.iter().map(String::as_str))
}

/// A backslash before each of these.
fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if special.contains(&character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A header's name: visible ASCII, or the sign for none.
fn name(text: &str) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

fn syslog_severity(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Info => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::AlertType;
    use proptest::prelude::*;

    fn alert(text: &str) -> Alert {
        Alert {
            id: text.to_owned(),
            alert_type: AlertType::IncidentOpened,
            at: "2026-11-23T20:00:00.5Z".parse().unwrap(),
            summary: text.to_owned(),
            incident: serde_json::from_value(serde_json::json!({
                "id": text, "state": "open", "severity": "high", "opened_at": "2026-11-23T20:00:00Z",
                "updated_at": "2026-11-23T20:00:00Z", "sightings": 3, "sensors": [text], "canaries": ["0123456789abcdef"],
                "stores": [text], "drill": true, "attribution": {
                    "verdict": "inconclusive", "stores": [], "runner_up": null, "excluded": [text], "indistinguishable": [],
                    "window": null, "material": null, "claim": null, "password_storage": null, "why_not": [text]
                }
            }))
            .unwrap(),
            sightings: vec![],
            attack: vec![text.to_owned()],
            link: Some(text.to_owned()),
            growth: None,
            gathered: Vec::new(),
            drill: true,
            revealed: Vec::new(),
            over: false,
        }
    }

    #[test]
    fn every_syntax_is_escaped() {
        let line = record(&alert("a]b\"c\\d|e=f\r\ng"), Format::Rfc5424, "host", 8192);
        assert!(line.starts_with("<83>1 2026-11-23T20:00:00.500000Z host telltale "), "{line}");
        assert!(line.contains(r#" alert="a\]b\"c\\d|e=f  g""#), "{line}");
        let line = record(&alert("a]b\"c\\d|e=f\r\ng"), Format::Cef, "ho st\n", 8192);
        assert!(line.contains(r#"|7|rt=1795464000500 externalId=a]b"c\\d|e\=f  g cat=incident.opened"#), "{line}");
        assert!(
            line.contains(r#"|[DRILL] leak, not yet certain from where (candidates: a]b"c\\d\|e=f  g)|7|"#),
            "{line}"
        );
        assert!(line.contains("Z host telltale "), "{line}");
    }

    /// As a receiver reads LEEF 2.0: six header fields, then pairs between the delimiter that the header names.
    fn read_leef(line: &str) -> Vec<(String, String)> {
        let leef = &line[line.find("LEEF:2.0|").expect("a header")..];
        let parts: Vec<&str> = leef.splitn(7, '|').collect();
        assert_eq!((parts.len(), parts[5]), (7, "^"), "{line}");
        let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        parts[6].split('^').map(|text| pair(text).unwrap_or_else(|| panic!("no pair: {text}"))).collect()
    }

    proptest! {
        #[test]
        fn no_value_of_leef_ends_its_own_field(text in any::<String>()) {
            let pairs = read_leef(&record(&alert(&text), Format::Leef, "host", 8000));
            let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
            prop_assert_eq!(&keys[..4], ["devTime", "cat", "sev", "msg"]);
            let known = ["alert", "type", "severity", "drill", "incident", "verdict", "stores", "log10_lr", "window",
                "sensors", "sightings", "canaries", "src", "service", "marker_kind", "mail", "markers", "attack", "defend", "link"];
            prop_assert!(keys[4..].iter().all(|key| known.contains(key)), "{:?}", keys);
        }

        /// Reliability test T23, for lines of logs.
        #[test]
        fn one_record_is_one_short_line(text in any::<String>(), long in 1usize..2000) {
            for text in [text.clone(), text.repeat(long)] {
                for format in [Format::Cef, Format::Leef, Format::Rfc5424] {
                    let line = record(&alert(&text), format, &text, 2048);
                    prop_assert!(line.len() <= 2048, "{}", line.len());
                    prop_assert!(!line.chars().any(char::is_control));
                }
            }
        }
    }
}
