//! An alert as thin JSON, as webhooks and the operator's own templates get it: canary ids, stores, kinds of markers,
//! source addresses and services; a marker's value only where the sink may have it.

use crate::{
    domain::{alert::Alert, sighting::Sighting},
    sinks::shape::wording,
};
use serde_json::{Value, json};

/// The alert as a webhook tells it; the same at every attempt.
pub fn body(alert: &Alert) -> Value {
    let mut data = json!({
        "incident": Value::Null, "attribution": Value::Null, "attack": alert.attack,
        "defend": wording::defend(alert), "links": {},
        "summary": webhooks::clean(&alert.summary, 1000), "drill": alert.drill,
    });
    if let Some(link) = wording::link(alert) {
        data["links"]["incident"] = json!(link);
    }
    if let Some(incident) = &alert.incident {
        data["attribution"] = json!(incident.attribution);
        data["incident"] = json!(incident);
        if let Some(thin) = data["incident"].as_object_mut() {
            thin.remove("attribution");
        }
    }
    if !alert.sightings.is_empty() {
        let thin = |sighting: &Sighting| {
            let mut thin = json!(sighting);
            if let Some(mail) = &sighting.mail {
                thin["mail"] = json!(mail.without_names());
            }
            if let Some(service) = thin["service"].as_str().map(|text| webhooks::clean(text, 300)) {
                thin["service"] = json!(service);
            }
            thin
        };
        data["sightings"] = alert.sightings.iter().map(thin).collect();
    }
    if let Some(growth) = &alert.growth {
        data["growth"] = json!(growth);
    }
    if !alert.gathered.is_empty() {
        data["gathered"] = json!(alert.gathered);
    }
    if !alert.revealed.is_empty() {
        data["markers"] = json!(alert.revealed);
    }
    clean(&mut data);
    json!({"type": alert.alert_type.as_str(), "timestamp": alert.at.to_string(), "data": data})
}

/// No text of it is longer than a thousand characters, or misleads whoever looks at it.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = webhooks::clean(text, 1000),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
