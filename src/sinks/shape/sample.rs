//! Invented alerts, to render a template with before anything happens: of an incident, and of a test.

use crate::domain::alert::Alert;
use serde_json::json;

/// One alert of an incident with everything in it, and one without an incident.
pub fn samples() -> [Alert; 2] {
    let at = "2026-01-01T00:00:00Z";
    let canary = "0000000000000000";
    let score = json!({
        "store": "payroll", "accused": true, "log10_lr": 9.0, "posterior": 0.9999998, "e_value_log10": null,
        "ghost_p": 1e-9, "sightings": 1, "distinct_canaries": 1,
    });
    let sample = json!({
        "id": "a-1", "type": "incident.opened", "at": at, "summary": "payroll leaked: 1 canary seen by portal",
        "incident": {
            "id": "i-1", "state": "open", "severity": "critical", "opened_at": at, "updated_at": at, "sightings": 1,
            "sensors": ["portal"], "canaries": [canary], "stores": ["payroll"], "drill": true,
            "attribution": {
                "verdict": "attributed", "stores": [score], "runner_up": null, "excluded": [], "indistinguishable": [],
                "window": {"from": at, "to": at, "confidence": 0.95}, "material": null, "claim": null,
                "password_storage": null, "why_not": ["few canaries"],
            },
        },
        "sightings": [{
            "id": 1, "at": at, "received_at": at, "sensor": "portal", "reporter": "192.0.2.1", "source_ip": "192.0.2.1",
            "service": "portal", "canary": canary, "marker_kind": "username", "class": "login", "drill": true,
        }],
        "attack": ["T1078"], "link": "https://telltale.example.org/incidents/i-1", "drill": true,
    });
    let incident: Alert = serde_json::from_value(sample).expect("the sample is an alert");
    let test = Alert {
        alert_type: crate::domain::alert::AlertType::SinkTest,
        incident: None,
        sightings: Vec::new(),
        attack: Vec::new(),
        link: None,
        ..incident.clone()
    };
    [incident, test]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_whatever_a_template_may_ask_for() {
        let [incident, test] = samples();
        assert!(incident.drill && test.drill, "nobody takes it for real");
        assert!(incident.incident.is_some() && test.incident.is_none());
    }
}
