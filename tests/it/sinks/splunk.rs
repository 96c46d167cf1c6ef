//! Splunk's HTTP Event Collector, played strictly: it parses as Splunk does, answers with its codes, and tells once only
//! that something is indexed. No Splunk can be installed here, so this is our reading of its documentation.

use super::alerts::{alert, build, many};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use telltale::{
    domain::alert::Alert,
    sinks::sink::{Sink, SinkError},
};

const TOKEN: &str = "00000000-1111-2222-3333-444444444444";

#[derive(Default)]
struct Collector {
    taken: Vec<Value>,
    /// Of each session: how often each number is asked for before it is indexed; gone once it was told.
    waiting: BTreeMap<(String, i64), u32>,
    acknowledges: bool,
    /// How often one must ask; 1000: it never is.
    slow: u32,
    busy: bool,
}

type Shared = Arc<Mutex<Collector>>;
type Said = (StatusCode, String);

fn code(status: u16, text: &str, code: i64) -> Said {
    (StatusCode::from_u16(status).unwrap(), json!({"text": text, "code": code}).to_string())
}

fn refused(headers: &HeaderMap) -> Option<Said> {
    match headers.get("authorization").and_then(|value| value.to_str().ok()) {
        None => Some(code(401, "Token is required", 2)),
        Some(line) if !line.starts_with("Splunk ") => Some(code(401, "Invalid authorization", 3)),
        Some(line) if line != format!("Splunk {TOKEN}") => Some(code(403, "Invalid token", 4)),
        Some(_) => None,
    }
}

async fn collect(State(collector): State<Shared>, headers: HeaderMap, body: Bytes) -> Said {
    let mut collector = collector.lock().unwrap();
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    if collector.busy {
        return code(503, "Server is busy", 9);
    }
    let session = headers.get("x-splunk-request-channel").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if collector.acknowledges && session.parse::<uuid::Uuid>().is_err() {
        return code(400, "Data channel is missing", 10);
    }
    let parsed: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&body).into_iter().collect();
    let Ok(records) = parsed else { return code(400, "Invalid data format", 6) };
    if records.is_empty() {
        return code(400, "No data", 5);
    }
    let known = ["time", "host", "source", "sourcetype", "index", "event", "fields"];
    for record in &records {
        let Some(keys) = record.as_object() else { return code(400, "Invalid data format", 6) };
        if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
            return code(400, &format!("Invalid data format: {key}"), 6);
        }
        match &record["event"] {
            Value::Null => return code(400, "Event field is required", 12),
            Value::String(text) if text.is_empty() => return code(400, "Event field cannot be blank", 13),
            _ => {}
        }
        if record["index"].as_str().is_some_and(|index| index != "security") {
            return code(400, "Incorrect index", 7);
        }
        let time = record["time"].as_str().unwrap_or("x");
        if time.parse::<f64>().is_err() || time.split_once('.').is_none_or(|(_, rest)| rest.len() != 3) {
            return code(400, "Invalid data format: time", 6);
        }
        let flat = |value: &Value| value.is_string() || value.is_number();
        if !record["fields"].as_object().is_some_and(|fields| fields.values().all(flat)) {
            return code(400, "Error in handling indexed fields", 15);
        }
    }
    collector.taken.extend(records);
    if !collector.acknowledges {
        return code(200, "Success", 0);
    }
    let number = collector.taken.len() as i64;
    let slow = collector.slow;
    collector.waiting.insert((session.to_owned(), number), slow);
    (StatusCode::OK, json!({"text": "Success", "code": 0, "ackId": number}).to_string())
}

async fn acknowledge(State(collector): State<Shared>, headers: HeaderMap, body: Bytes) -> Said {
    let mut collector = collector.lock().unwrap();
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    let session = headers["x-splunk-request-channel"].to_str().unwrap().to_owned();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let mut told = serde_json::Map::new();
    for number in asked["acks"].as_array().unwrap() {
        let key = (session.clone(), number.as_i64().unwrap());
        let indexed = match collector.waiting.get_mut(&key) {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if indexed {
            collector.waiting.remove(&key);
        }
        told.insert(number.to_string(), indexed.into());
    }
    (StatusCode::OK, json!({ "acks": told }).to_string())
}

async fn started(collector: Collector) -> (String, Shared) {
    let shared: Shared = Arc::new(Mutex::new(collector));
    let router = Router::new()
        .route("/services/collector/event", post(collect))
        .route("/services/collector/ack", post(acknowledge))
        .with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, shared)
}

fn splunk(address: &str, token: &str, keys: &str) -> Box<dyn Sink> {
    let text = format!("url = 'http://{address}'\ntoken = '{token}'\nallow_private = ['127.0.0.0/8']\n{keys}");
    build("splunk", &text).unwrap()
}

#[tokio::test]
async fn every_alert_is_one_that_the_collector_takes() {
    let (address, collector) = started(Collector::default()).await;
    let sink = splunk(&address, TOKEN, "index = 'security'");
    let alerts: Vec<Alert> = many();
    for alert in &alerts {
        sink.send(alert).await.unwrap();
    }
    let taken = &collector.lock().unwrap().taken;
    assert_eq!(taken.len(), alerts.len());
    let ids: std::collections::BTreeSet<&str> =
        taken.iter().map(|record| record["fields"]["alert_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), alerts.len(), "`dedup alert_id` keeps every alert once");
    assert!(taken[0]["event"]["type"] == "incident.opened" && taken[0]["time"] == "1795464000.000", "{}", taken[0]);
}

#[tokio::test]
async fn with_acknowledgement_an_alert_is_delivered_once_it_is_indexed() {
    let (address, collector) = started(Collector { acknowledges: true, slow: 2, ..Collector::default() }).await;
    splunk(&address, TOKEN, "acknowledge = true").send(&alert("")).await.unwrap();
    assert!(collector.lock().unwrap().waiting.is_empty(), "it asked until it was told");
    collector.lock().unwrap().slow = 1000;
    match splunk(&address, TOKEN, "acknowledge = true").send(&alert("")).await.unwrap_err() {
        SinkError::Retry { why, .. } => assert!(why.contains("indexed"), "{why}"),
        other => panic!("{other:?}"),
    }
    collector.lock().unwrap().acknowledges = false;
    let error = splunk(&address, TOKEN, "acknowledge = true").send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { .. }) && error.to_string().contains("acknowledge"), "{error}");
}

#[tokio::test]
async fn codes_say_what_gets_better_and_what_does_not() {
    let (address, collector) = started(Collector::default()).await;
    let error = splunk(&address, "wrong-token", "").send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { status: Some(403), .. }), "{error:?}");
    assert!(error.to_string().contains("Invalid token") && !error.to_string().contains("wrong-token"), "{error}");
    let error = splunk(&address, TOKEN, "index = 'nowhere'").send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { .. }) && error.to_string().contains("Incorrect index"), "{error}");
    collector.lock().unwrap().busy = true;
    let error = splunk(&address, TOKEN, "").send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { status: Some(503), .. }), "{error:?}");
    let error = build("splunk", "url = 'http://x/elsewhere'\ntoken = 'x'").err().unwrap();
    assert!(error.key == "url", "{error}");
}
