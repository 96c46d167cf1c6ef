//! Events of MISP, judged by its own client's models. No MISP can be installed here: what it answers is played.

use super::{
    alerts::{alert, build, judge, many, test_alert},
    receiver::{Manner, Receiver, Request, answer, whole},
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use telltale::{
    domain::alert::{Alert, AlertType},
    sinks::sink::{Sink, SinkError},
};

fn misp(address: &str) -> Box<dyn Sink> {
    let text = format!("url = 'http://{address}/misp/'\nkey = 'wordwordword'\nallow_private = ['127.0.0.0/8']");
    build("misp", &text).unwrap()
}

#[tokio::test]
async fn every_event_is_one_that_misp_knows() {
    let receiver = Receiver::start(answer("200 OK", "", "{\"Event\":{\"id\":\"7\"}}")).await;
    let sink = misp(&receiver.address);
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests = receiver.requests();
    assert!(requests[0].head.starts_with("POST /misp/events/add "), "{}", requests[0].head);
    assert_eq!(
        (&*requests[0].headers["authorization"], &*requests[0].headers["accept"]),
        ("wordwordword", "application/json")
    );
    let lines: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert!(judge("check_misp.py", &format!("{}\n", lines.join("\n"))).contains("valid"));
}

#[tokio::test]
async fn an_incident_is_one_event_and_tests_are_another() {
    let receiver = Receiver::start(answer("200 OK", "", "{}")).await;
    let sink = misp(&receiver.address);
    let mut closed = alert("");
    (closed.id, closed.alert_type) = ("a-43".to_owned(), AlertType::IncidentClosed);
    let again = Alert { id: "a-44".to_owned(), ..test_alert() };
    for alert in [&alert(""), &closed, &test_alert(), &again] {
        sink.send(alert).await.unwrap();
    }
    let events: Vec<Value> =
        receiver.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let of = |path: &str| events.iter().map(|event| event.pointer(path).unwrap().clone()).collect::<Vec<_>>();
    let ids = of("/Event/uuid");
    assert!(ids[0] == ids[1] && ids[2] == ids[3] && ids[0] != ids[2], "{ids:?}");
    assert_eq!(of("/Event/analysis"), ["0", "2", "2", "2"]);
    assert!(!events[0].to_string().contains("0123456789abcdef"), "no canary's id is shared");
}

/// A MISP that keeps one event, and takes an edit only if it is newer.
#[derive(Default)]
struct Played {
    event: Value,
    edits: Vec<Value>,
}

impl Played {
    fn takes(&mut self, request: &Request) -> String {
        let path = request.head.split(' ').nth(1).unwrap();
        let sent: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let timestamp = |event: &Value| event["Event"]["timestamp"].as_str().unwrap().parse::<i64>().unwrap();
        let ok = |event: &Value| whole("200 OK", "", &event.to_string());
        if path.starts_with("/misp/events/view/") {
            assert!(request.head.starts_with("GET ") && request.body.is_empty());
            return ok(&self.event);
        }
        if path == "/misp/events/add" {
            if !self.event.is_null() {
                return whole(
                    "403 Forbidden",
                    "",
                    "{\"name\":\"Event already exists, if you would like to edit it…\"}",
                );
            }
            self.event = sent;
            return ok(&self.event);
        }
        assert!(path.starts_with("/misp/events/edit/"), "{path}");
        if timestamp(&sent) <= timestamp(&self.event) {
            return whole(
                "403 Forbidden",
                "",
                "{\"errors\":\"Event could not be saved: Event in the request not newer than the local copy.\"}",
            );
        }
        self.edits.push(sent.clone());
        let mut event = self.event["Event"].clone();
        for (key, value) in sent["Event"].as_object().unwrap() {
            event[key] = value.clone();
        }
        self.event = serde_json::json!({"Event": event});
        ok(&self.event)
    }
}

#[tokio::test]
async fn no_update_is_lost_in_the_same_second_or_after_an_analysts_edit_and_none_is_written_twice() {
    let played = Arc::new(Mutex::new(Played::default()));
    let part = played.clone();
    let receiver = Receiver::start(Manner::Plays(Arc::new(move |request| part.lock().unwrap().takes(request)))).await;
    let sink = misp(&receiver.address);
    let opened = alert("");
    sink.send(&opened).await.unwrap();
    assert_eq!(played.lock().unwrap().event["Event"]["published"], false);
    // The same second: MISP would call it not newer. An analyst has edited it meanwhile, and shares it.
    let ahead = jiff::Timestamp::now().as_second() + 500;
    let at = |more: i64| opened.at.checked_add(jiff::SignedDuration::from_millis(more)).unwrap();
    let updated =
        Alert { id: "a-43".to_owned(), alert_type: AlertType::IncidentUpdated, at: at(300), ..opened.clone() };
    {
        let event = &mut played.lock().unwrap().event["Event"];
        event["timestamp"] = ahead.to_string().into();
        (event["distribution"], event["published"]) = ("3".into(), true.into());
    }
    sink.send(&updated).await.unwrap();
    {
        let played = played.lock().unwrap();
        assert_eq!((played.edits.len(), &played.event["Event"]["analysis"]), (1, &Value::from("1")));
        assert_eq!(played.event["Event"]["timestamp"], (ahead + 1).to_string());
        assert!(played.event["Event"]["distribution"] == "3" && played.event["Event"]["published"] == true);
        let attributes = played.edits[0]["Event"]["Attribute"].as_array().unwrap();
        assert!(attributes.iter().all(|attribute| attribute.get("distribution").is_none()), "{attributes:?}");
        let newer = (ahead + 1).to_string();
        assert!(attributes.iter().all(|attribute| attribute["timestamp"] == newer.as_str()));
    }
    // Told again, since the answer was lost; and one that comes late, after a newer one.
    sink.send(&updated).await.unwrap();
    sink.send(&opened).await.unwrap();
    assert_eq!(played.lock().unwrap().edits.len(), 1, "what it has is not written again");
    let closed = Alert { id: "a-44".to_owned(), alert_type: AlertType::IncidentClosed, at: at(301), ..opened };
    sink.send(&closed).await.unwrap();
    assert_eq!(played.lock().unwrap().event["Event"]["analysis"], "2");
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_no_key() {
    let receiver =
        Receiver::start(answer("403 Forbidden", "", "{\"message\":\"Authentication failed: wordwordword\"}")).await;
    let sink = misp(&receiver.address);
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && !error.to_string().contains("wordwordword"), "{error}");
    receiver.becomes(answer("500 Oops", "", ""));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    // One that has the event, and takes no edit of it.
    receiver.becomes(Manner::Plays(Arc::new(|request| match request.head.split('/').nth(3) {
        Some("view") => whole("200 OK", "", "{\"Event\":{\"timestamp\":\"1700000000\",\"cut off"),
        Some("edit") => whole("403 Forbidden", "", "not newer"),
        _ => whole("403 Forbidden", "", "already exists"),
    })));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }), "it is not delivered");
}

#[test]
fn what_is_shared_reveals_nothing() {
    let error = build("misp", "url = 'https://misp.example.org'\nkey = 'wordword'\nreveal = true").err().unwrap();
    assert_eq!(error.key, "reveal");
}
