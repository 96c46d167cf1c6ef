//! Events of MISP, judged by its own client's models. No MISP can be installed here: what it answers is played.

use super::{
    alerts::{alert, build, judge, many, test_alert},
    receiver::{Receiver, answer},
};
use serde_json::Value;
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
async fn an_incident_is_one_event_which_is_edited_and_tests_are_another() {
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

    // One that is there is edited; one that is as new is there already.
    receiver.becomes(answer("403 Forbidden", "", "{\"name\":\"Event already exists, if you would like to edit it…\"}"));
    let before = receiver.requests().len();
    assert!(matches!(sink.send(&closed).await.unwrap_err(), SinkError::GiveUp { status: Some(403), .. }));
    let id = ids[0].as_str().unwrap();
    let asked: Vec<String> =
        receiver.requests()[before..].iter().map(|request| request.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["POST /misp/events/add HTTP/1.1".to_owned(), format!("POST /misp/events/edit/{id} HTTP/1.1")]);
    receiver.becomes(answer("403 Forbidden", "", "already exists: Event in the request not newer than the local copy"));
    sink.send(&closed).await.unwrap();
    receiver.becomes(answer("403 Forbidden", "", "{\"message\":\"Authentication failed: wordwordword\"}"));
    let error = sink.send(&closed).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && !error.to_string().contains("wordwordword"), "{error}");
    receiver.becomes(answer("500 Oops", "", ""));
    assert!(matches!(sink.send(&closed).await.unwrap_err(), SinkError::Retry { .. }));
}

#[test]
fn what_is_shared_reveals_nothing() {
    let error = build("misp", "url = 'https://misp.example.org'\nkey = 'wordword'\nreveal = true").err().unwrap();
    assert_eq!(error.key, "reveal");
}
