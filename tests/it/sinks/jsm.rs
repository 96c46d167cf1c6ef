//! Alerts of Jira Service Management, held against the limits that its documentation gives. No library judges them.

use super::{
    alerts::{alert, build, many, test_alert},
    receiver::{Manner, Receiver, Request, answer, whole},
};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use telltale::{
    domain::alert::{Alert, AlertType},
    sinks::sink::SinkError,
};

/// A service that takes every request in, and does each a while later: after so many looks.
fn played(after: usize, success: bool, status: &'static str) -> Manner {
    let looked = AtomicUsize::new(0);
    Manner::Plays(Arc::new(move |request: &Request| {
        if request.head.contains("/notes?") && request.head.starts_with("GET ") {
            return whole("200 OK", "", "{\"data\":[{\"note\":\"somebody else's\"}]}");
        }
        if !request.head.starts_with("GET ") {
            looked.store(0, SeqCst);
            return whole("202 Accepted", "", "{\"result\":\"Request will be processed\",\"requestId\":\"8a1f-77\"}");
        }
        assert!(request.head.contains("/alerts/requests/8a1f-77 "), "{}", request.head);
        assert_eq!(request.headers["authorization"], "GenieKey wordwordword");
        if looked.fetch_add(1, SeqCst) < after {
            return whole("404 Not Found", "", "{\"message\":\"Request not found. It might not be processed yet.\"}");
        }
        whole("200 OK", "", &json!({"data": {"isSuccess": success, "status": status}}).to_string())
    }))
}

/// What was asked to be done, without the looks at what became of it.
fn told(receiver: &Receiver) -> Vec<Request> {
    receiver.requests().into_iter().filter(|request| !request.head.starts_with("GET ")).collect()
}

#[tokio::test]
async fn every_alert_keeps_to_the_limits() {
    let receiver = Receiver::start(played(0, true, "Created alert")).await;
    let text = format!(
        "url = 'http://{}/jsm/ops/integration/v2/alerts'\nkey = 'wordwordword'\ntags = ['hr']\nallow_private = ['127.0.0.0/8']",
        receiver.address
    );
    let sink = build("jsm", &text).unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests: Vec<Request> = told(&receiver);
    assert!(requests.len() > 800, "updates and tests ask again");
    for request in requests {
        assert_eq!(request.headers["authorization"], "GenieKey wordwordword");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let length = |key: &str| body[key].as_str().map_or(0, |text| text.chars().count());
        if !request.head.starts_with("POST /jsm/ops/integration/v2/alerts HTTP") {
            let verb = request.head.split(['/', '?']).nth(7).unwrap();
            let (key, most) = match verb {
                "notes" | "close" => ("note", 25_000),
                "priority" => ("priority", 2),
                "message" => ("message", 130),
                "description" => ("description", 15_000),
                other => panic!("{other}: {}", request.head),
            };
            assert!(length(key) > 0 && length(key) <= most, "{body}");
            continue;
        }
        assert!(length("message") > 0 && length("message") <= 130, "{body}");
        assert!(length("alias") > 0 && length("alias") <= 512 && length("description") <= 15_000);
        assert!(length("source") <= 100 && length("entity") <= 512 && request.body.len() < 100_000);
        assert!(["P1", "P2", "P3", "P4", "P5"].contains(&body["priority"].as_str().unwrap()));
        let details = body["details"].as_object().unwrap();
        assert!(details.values().all(Value::is_string) && body["details"].to_string().len() <= 8_000, "{body}");
        let tags = body["tags"].as_array().unwrap();
        assert!(tags.len() <= 20 && tags.contains(&"hr".into()));
        assert!(!body["message"].as_str().unwrap().chars().any(char::is_control));
    }
}

#[tokio::test]
async fn an_incident_is_one_alert_from_its_opening_to_its_end_and_a_test_closes_itself() {
    let receiver = Receiver::start(played(1, true, "done")).await;
    let text =
        format!("url = 'http://{}/alerts'\nkey = 'wordwordword'\nallow_private = ['127.0.0.0/8']", receiver.address);
    let sink = build("jsm", &text).unwrap();
    for alert_type in [AlertType::IncidentOpened, AlertType::IncidentUpdated, AlertType::IncidentClosed] {
        let mut alert = alert("");
        alert.alert_type = alert_type;
        sink.send(&alert).await.unwrap();
    }
    sink.send(&test_alert()).await.unwrap();
    let requests = told(&receiver);
    let lines: Vec<String> =
        requests.iter().map(|request| request.head.split(" HTTP").next().unwrap().to_owned()).collect();
    let alias = serde_json::from_str::<Value>(&requests[0].body).unwrap()["alias"].as_str().unwrap().to_owned();
    let of = |method: &str, verb: &str| format!("{method} /alerts/{alias}/{verb}?identifierType=alias");
    let wanted = [
        "POST /alerts".to_owned(),
        "POST /alerts".to_owned(),
        of("PUT", "priority"),
        of("PUT", "message"),
        of("PUT", "description"),
        of("POST", "notes"),
        of("POST", "close"),
        "POST /alerts".to_owned(),
    ];
    assert_eq!(lines[..8], wanted);
    assert_eq!((lines[8].ends_with("/close?identifierType=alias"), lines.len()), (true, 9));
    let updated: Value = serde_json::from_str(&requests[1].body).unwrap();
    for (request, key) in requests[2..5].iter().zip(["priority", "message", "description"]) {
        assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), json!({ key: updated[key] }));
    }
    assert_eq!(receiver.requests().len(), 3 * requests.len() + 1, "two looks at each, and one at the notes");
    // What comes late opens nothing again.
    let before = told(&receiver).len();
    for alert_type in [AlertType::IncidentUpdated, AlertType::IncidentOpened] {
        sink.send(&Alert { alert_type, over: true, ..alert("") }).await.unwrap();
    }
    let late: Vec<bool> = told(&receiver)[before..].iter().map(|request| request.head.contains("/close?")).collect();
    assert_eq!(late, [true, false, true]);
    receiver.becomes(answer("422 Unprocessable", "", "wordwordword"));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && !error.to_string().contains("wordword"), "{error}");
    receiver.becomes(answer("429 Slow", "retry-after: 7\r\n", ""));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { after: Some(after), .. } if after.as_secs() == 7));
}

/// A service that keeps notes, answers at once, and breaks off when it is told to: as a crash of ours looks to it.
fn keeping(notes: Arc<Mutex<Vec<String>>>, listing: &'static str) -> Manner {
    Manner::Plays(Arc::new(move |request: &Request| {
        let done = whole("200 OK", "", "{\"data\":{\"isSuccess\":true,\"status\":\"done\"}}");
        let mut kept = notes.lock().unwrap();
        match (request.head.starts_with("GET "), request.head.contains("/notes?")) {
            (true, true) => {
                for part in ["identifierType=alias", "order=desc", "limit=100"] {
                    assert!(request.head.contains(part), "{}", request.head);
                }
                let data: Vec<Value> = kept.iter().rev().map(|note| json!({ "note": note })).collect();
                whole(listing, "", &json!({ "data": data }).to_string())
            }
            (true, false) => done,
            (false, true) => {
                let note: Value = serde_json::from_str(&request.body).unwrap();
                kept.push(note["note"].as_str().unwrap().to_owned());
                // It has it, and we never hear of that.
                if kept.len() == 1 { String::new() } else { whole("202 Accepted", "", "{\"requestId\":\"8a1f-77\"}") }
            }
            (false, false) => whole("202 Accepted", "", "{\"requestId\":\"8a1f-77\"}"),
        }
    }))
}

#[tokio::test]
async fn a_note_comes_once_though_its_alert_is_sent_again_after_a_crash() {
    for (listing, times) in [("200 OK", 2), ("403 Forbidden", 4)] {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let receiver = Receiver::start(keeping(notes.clone(), listing)).await;
        let text = format!(
            "url = 'http://{}/alerts'\nkey = 'wordwordword'\nallow_private = ['127.0.0.0/8']",
            receiver.address
        );
        let mut first = alert("");
        first.alert_type = AlertType::IncidentUpdated;
        let second = Alert { id: "a-43".to_owned(), ..first.clone() };
        // Each attempt after the first is that of a process which knows nothing of the one before.
        assert!(matches!(build("jsm", &text).unwrap().send(&first).await.unwrap_err(), SinkError::Retry { .. }));
        for again in [&first, &second, &second] {
            build("jsm", &text).unwrap().send(again).await.unwrap();
        }
        let kept = notes.lock().unwrap().clone();
        assert_eq!(kept.len(), times, "{listing}: twice only where notes may not be listed: {kept:?}");
        let of = |id: &str| kept.iter().filter(|note| note.contains(&format!("[telltale-{id}-"))).count();
        assert!(of("a-42") * 2 == times && of("a-43") * 2 == times, "{kept:?}");
    }
}

#[tokio::test]
async fn taken_in_is_not_done() {
    let receiver = Receiver::start(played(0, false, "Integration is not allowed to do that")).await;
    let text =
        format!("url = 'http://{}/alerts'\nkey = 'wordwordword'\nallow_private = ['127.0.0.0/8']", receiver.address);
    let sink = build("jsm", &text).unwrap();
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::Retry { .. }) && error.to_string().contains("not allowed"), "{error}");
    let mut closed = alert("");
    closed.alert_type = AlertType::IncidentClosed;
    assert!(matches!(sink.send(&closed).await.unwrap_err(), SinkError::Retry { .. }));
    receiver.becomes(played(0, false, "Alert does not exist"));
    sink.send(&closed).await.unwrap();
    // One that never gets to it: so many looks, and then later again.
    receiver.becomes(played(99, true, "done"));
    let before = receiver.requests().len();
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    assert_eq!(receiver.requests().len() - before, 8);
    receiver.becomes(answer("202 Accepted", "", "{}"));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
}
