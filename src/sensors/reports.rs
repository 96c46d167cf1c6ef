//! What threat exchanges post: a MISP event, and what a tracker of AIL found. Whatever is written in it is looked through, and
//! nothing that it names is fetched.

use crate::{
    domain::sighting::{Class, Touch},
    sensors::{
        inbound::form,
        request::{EVIDENCE_LIMIT, bounded},
    },
};
use jiff::Timestamp;
use serde_json::Value;

/// The sensor that sightings of it name.
pub const SENSOR: &str = "reports";

const EXPECTED: &str = "expected a MISP event (`Event`), or what an AIL tracker posts (`trackerId`, `itemId`)";
/// So much text of one report is looked through.
const LONGEST: usize = 32 * 1024 * 1024;

/// Reads one; or says what was expected.
pub fn read(body: &[u8], reporter: &str, now: Timestamp) -> Result<Touch, &'static str> {
    let told = form::json(body).ok_or("expected JSON of at most 100,000 parts")?;
    let service = service(&told).ok_or(EXPECTED)?;
    let mut text = String::new();
    collect(&told, &mut text);
    Ok(Touch {
        mail: None,
        opened: None,
        sensor: SENSOR.to_owned(),
        reporter: reporter.to_owned(),
        class: Class::Dump,
        at: now,
        source_ip: None,
        service: bounded(&service.replace(char::is_control, " ")),
        presented: Vec::new(),
        text: text.into_bytes(),
        evidence: body[..body.len().min(EVIDENCE_LIMIT)].to_vec(),
    })
}

fn service(told: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|id| id.to_string()));
    if told.get("trackerId").is_some() {
        return Some(format!("ail/{}", text(told.get("itemId")?)?));
    }
    // As it is exported, found, or listed.
    let event = [told.get("Event"), told.pointer("/response/0/Event"), told.pointer("/0/Event")]
        .into_iter()
        .flatten()
        .next()?;
    let id = event.get("uuid").or(event.get("id")).and_then(text)?;
    Some(format!("misp/event {id}"))
}

/// All texts in it, a line each.
fn collect(value: &Value, text: &mut String) {
    match value {
        _ if text.len() >= LONGEST => {}
        Value::String(part) => {
            text.push_str(part);
            text.push('\n');
        }
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, text)),
        Value::Object(parts) => parts.values().for_each(|part| collect(part, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_and_findings_are_read() {
        let touch = |body: &str| read(body.as_bytes(), "token:1", Timestamp::UNIX_EPOCH);
        let event = r#"{"Event":{"id":"4","uuid":"u-4","info":"leak","Attribute":[{"type":"email-dst","value":"a@example.org"}],
            "Object":[{"name":"leaked-document","Attribute":[{"value":"b@example.org","comment":"c\nd"}]}]}}"#;
        let read = touch(event).expect("an event");
        assert_eq!(read.service, "misp/event u-4");
        assert_eq!(String::from_utf8(read.text).unwrap().lines().filter(|line| line.contains('@')).count(), 2);
        assert_eq!(touch(&format!("{{\"response\":[{event}]}}")).expect("found").service, "misp/event u-4");
        let found = r#"{"trackerId":"6a16b06e","trackerType":"word","tags":[],"tracker":"a@example.org",
            "itemId":"submitted/2019/07/26/3efb8a79.gz","itemURL":"https://ail/object/item?id=x"}"#;
        assert_eq!(touch(found).expect("a finding").service, "ail/submitted/2019/07/26/3efb8a79.gz");
        for other in ["", "[]", "{}", "{\"Event\":7}", "{\"trackerId\":1}", "{\"Event\":{}}", "x"] {
            assert!(touch(other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_body_breaks_it(body in "(\\{|\\}|\\[|\\]|,|:|\"Event\"|\"uuid\"|\"trackerId\"|\"itemId\"|\"\\PC{0,4}\"|7|null){0,20}") {
            let _ = read(body.as_bytes(), "r", Timestamp::UNIX_EPOCH);
        }
    }
}
