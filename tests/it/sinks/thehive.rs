//! Alerts for TheHive, judged by the types of its own client.

use super::{
    alerts::{alert, build, judge, many},
    receiver::{Receiver, answer},
};
use serde_json::Value;
use std::collections::BTreeSet;
use telltale::sinks::sink::{Sink, SinkError};

fn thehive(address: &str) -> Box<dyn Sink> {
    let text = format!(
        "url = 'http://{address}/hive'\ntoken = 'wordword'\norganisation = 'hr'\nallow_private = ['127.0.0.0/8']"
    );
    build("thehive", &text).unwrap()
}

#[tokio::test]
async fn every_alert_is_one_that_thehive_takes_and_known_by_its_reference() {
    let receiver = Receiver::start(answer("201 Created", "", "{}")).await;
    let sink = thehive(&receiver.address);
    let alerts = many();
    for alert in &alerts {
        sink.send(alert).await.unwrap();
    }
    let requests = receiver.requests();
    assert!(requests[0].head.starts_with("POST /hive/api/v1/alert "), "{}", requests[0].head);
    assert_eq!(requests[0].headers["authorization"], "Bearer wordword");
    assert_eq!(requests[0].headers["x-organisation"], "hr");
    let lines: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert!(judge("check_thehive.py", &format!("{}\n", lines.join("\n"))).contains("valid"));
    let references: BTreeSet<String> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["sourceRef"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(references.len(), alerts.len());
}

#[tokio::test]
async fn what_exists_already_is_delivered_and_what_is_refused_given_up() {
    let exists = "{\"type\":\"CreateError\",\"message\":\"Alert already exists\"}";
    let receiver = Receiver::start(answer("400 Bad Request", "", exists)).await;
    assert_eq!(thehive(&receiver.address).send(&alert("")).await.unwrap().status, Some(400));
    for (status, body, gives_up) in [
        ("400 Bad Request", "{\"type\":\"BadRequest\",\"message\":\"title wordword\"}", true),
        ("401 Unauthorized", "wordword", true),
        ("429 Slow", "", false),
        ("500 Oops", "", false),
    ] {
        receiver.becomes(answer(status, "", body));
        let error = thehive(&receiver.address).send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::GiveUp { .. }), gives_up, "{error:?}");
        assert!(!error.to_string().contains("wordword"), "{error}");
    }
}
