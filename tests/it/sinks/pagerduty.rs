//! Events for PagerDuty, held against its Events API v2 by hand: required keys, allowed values, lengths.

use super::{
    alerts::{alert, build, many, test_alert},
    house::House,
    receiver::{Receiver, answer},
};
use serde_json::Value;
use std::collections::BTreeSet;
use telltale::{
    domain::{
        alert::AlertType,
        incident::{Incident, State},
    },
    flow::notify,
    sinks::sink::{Sink, SinkError},
};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn pager(address: &str) -> Box<dyn Sink> {
    let text = format!("url = 'http://{address}/v2/enqueue'\nrouting_key = '{KEY}'\nallow_private = ['127.0.0.0/8']");
    build("pagerduty", &text).unwrap()
}

async fn accepting() -> Receiver {
    Receiver::start(answer("202 Accepted", "", "{\"status\":\"success\",\"dedup_key\":\"x\"}")).await
}

fn events(receiver: &Receiver) -> Vec<Value> {
    receiver.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn every_event_has_what_pagerduty_wants_within_its_limits() {
    let receiver = accepting().await;
    let sink = pager(&receiver.address);
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let known: BTreeSet<&str> =
        ["routing_key", "event_action", "dedup_key", "client", "client_url", "links", "payload"].into();
    let inner: BTreeSet<&str> =
        ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"].into();
    for (request, event) in receiver.requests().iter().zip(events(&receiver)) {
        assert!(request.body.len() <= 512 * 1024);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert!(keys(&event).iter().all(|key| known.contains(key.as_str())), "{event}");
        let payload = &event["payload"];
        assert!(keys(payload).iter().all(|key| inner.contains(key.as_str())), "{event}");
        assert!(["trigger", "acknowledge", "resolve"].contains(&event["event_action"].as_str().unwrap()));
        assert!(["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap()));
        let summary = payload["summary"].as_str().unwrap();
        assert!((1..=1024).contains(&summary.chars().count()) && !summary.chars().any(char::is_control), "{summary}");
        assert!(!payload["source"].as_str().unwrap().is_empty());
        assert!((1..=255).contains(&event["dedup_key"].as_str().unwrap().len()));
        assert!(payload["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        for link in event["links"].as_array().into_iter().flatten() {
            assert!(link["href"].as_str().unwrap().starts_with("https://"));
        }
    }
}

#[tokio::test]
async fn an_incident_keeps_its_key_and_its_end_resolves_it() {
    let receiver = accepting().await;
    let sink = pager(&receiver.address);
    let (opened, mut closed) = (alert(""), alert(""));
    (closed.id, closed.alert_type, closed.at) =
        ("a-99".to_owned(), AlertType::IncidentClosed, "2026-11-24T20:00:00Z".parse().unwrap());
    let mut elsewhere = alert("");
    elsewhere.incident.as_mut().unwrap().opened_at = "2025-01-01T00:00:00Z".parse().unwrap();
    for alert in [&opened, &opened, &closed, &elsewhere, &test_alert()] {
        sink.send(alert).await.unwrap();
    }
    let told: Vec<(String, String)> = events(&receiver)
        .iter()
        .map(|event| {
            (event["event_action"].as_str().unwrap().to_owned(), event["dedup_key"].as_str().unwrap().to_owned())
        })
        .collect();
    let actions: Vec<&str> = told.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve", "trigger", "trigger", "resolve"]);
    assert!(told[0].1 == told[1].1 && told[0].1 == told[2].1, "{told:?}");
    assert_ne!(told[0].1, told[3].1, "an incident of the same number in another journal is another");
    assert!(told[4].1 == told[5].1 && told[4].1 != told[0].1, "a test leaves nothing open");
}

#[tokio::test]
async fn what_somebody_looks_into_calls_nobody_any_more_and_tells_what_is_new() {
    let receiver = accepting().await;
    let mut taken = alert("");
    taken.alert_type = AlertType::IncidentUpdated;
    pager(&receiver.address).send(&taken).await.unwrap();
    taken.incident.as_mut().unwrap().state = State::Acknowledged;
    pager(&receiver.address).send(&taken).await.unwrap();
    let told = events(&receiver);
    let actions: Vec<&str> = told.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge"]);
    assert!(told.iter().all(|event| event["dedup_key"] == told[0]["dedup_key"]));
}

/// What was late because PagerDuty did not answer calls nobody once somebody closed the incident.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_opens_nothing_again() {
    let receiver = Receiver::start(answer("500 Oops", "", "")).await;
    let section = format!(
        "[[sinks]]\nname = 'calls'\nkind = 'pagerduty'\nurl = 'http://{}/v2/enqueue'\nrouting_key = '{KEY}'\n\
         allow_private = ['127.0.0.0/8']\n",
        receiver.address
    );
    let house = House::found(&section);
    let opened = Incident { id: String::new(), state: State::Open, ..alert("").incident.unwrap() };
    let id = house.moves(&opened, AlertType::IncidentOpened).await.replace("a-", "i-");
    house.pass(0).await;
    let known = Incident { id, ..opened };
    house.moves(&known, AlertType::IncidentUpdated).await;
    house.pass(0).await;
    let failed = events(&receiver).len();
    receiver.becomes(answer("202 Accepted", "", r#"{"status":"success"}"#));
    house.moves(&Incident { state: State::Closed, ..known }, AlertType::IncidentClosed).await;
    house.pass(0).await;
    house.pass(3600).await;
    let told = events(&receiver);
    assert!(told.iter().all(|event| event["dedup_key"] == told[0]["dedup_key"]), "{told:?}");
    let actions: Vec<&str> = told[failed..].iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!((failed, actions.iter().filter(|action| **action == "trigger").count()), (2, 1), "{actions:?}");
    let last = actions.iter().rposition(|action| *action == "trigger").unwrap();
    assert_eq!(actions[last + 1], "resolve", "{actions:?}");
    assert_eq!(actions.len(), 4, "the end, the news, and the opening with its own end: {actions:?}");
}

/// What waits of one incident goes one by one, in its order.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_incident_is_not_overtaken() {
    let receiver = accepting().await;
    let section = format!(
        "[[sinks]]\nname = 'calls'\nkind = 'pagerduty'\nurl = 'http://{}/v2/enqueue'\nrouting_key = '{KEY}'\n\
         allow_private = ['127.0.0.0/8']\n",
        receiver.address
    );
    let house = House::found(&section);
    let opened = Incident { id: String::new(), state: State::Open, ..alert("").incident.unwrap() };
    let id = house.moves(&opened, AlertType::IncidentOpened).await.replace("a-", "i-");
    let known = Incident { id, ..opened };
    for _ in 0..3 {
        house.moves(&known, AlertType::IncidentUpdated).await;
    }
    house.opens().await;
    let slot = &house.context.sinks[0];
    let mut rounds = Vec::new();
    while notify::deliver_due(&house.context, slot).await.unwrap() > 0 {
        rounds.push(events(&receiver).len());
    }
    assert_eq!(rounds, [2, 3, 4, 5], "one of each incident a round");
}

#[tokio::test]
async fn what_pagerduty_refuses_is_given_up_and_its_key_is_not_told() {
    for (status, gives_up) in [("400 Bad Request", true), ("429 Too Many", false), ("500 Oops", false)] {
        let receiver = Receiver::start(answer(status, "", &format!("invalid key {KEY}"))).await;
        let error = pager(&receiver.address).send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::GiveUp { .. }), gives_up, "{error:?}");
        assert!(error.to_string().contains("PagerDuty") && !error.to_string().contains(KEY), "{error}");
    }
    for key in ["short", "0123456789abcdef0123456789abcde!"] {
        let error = build("pagerduty", &format!("routing_key = '{key}'")).err().unwrap();
        assert!(error.key == "routing_key" && !error.to_string().contains(key), "{error}");
    }
}
