//! Cards for Google Chat, held against the shape and limits that its documentation names: no library of its makers that
//! is light enough judges them.

use super::{
    alerts::{alert, build, many},
    receiver::{Receiver, answer},
};
use serde_json::Value;
use std::collections::BTreeSet;
use telltale::{domain::alert::AlertType, sinks::sink::SinkError};

/// Every text of a value.
fn texts<'a>(value: &'a Value, found: &mut Vec<(String, &'a str)>, key: &str) {
    match value {
        Value::String(text) => found.push((key.to_owned(), text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found, key)),
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| texts(inner, found, key)),
        _ => {}
    }
}

#[tokio::test]
async fn every_card_is_small_well_formed_and_mentions_nobody() {
    let receiver = Receiver::start(answer("200 OK", "", "{}")).await;
    let url = format!("http://{}/v1/spaces/A/messages?key=k&token=secretpart", receiver.address);
    let sink = build("google_chat", &format!("url = '{url}'\nallow_private = ['127.0.0.0/8']")).unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests = receiver.requests();
    let asked = "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD ";
    assert!(requests[0].head.lines().next().unwrap().contains(asked), "{}", requests[0].head);
    for request in &requests {
        assert!(request.body.len() <= 32_000, "{}", request.body.len());
        let message: Value = serde_json::from_str(&request.body).unwrap();
        let keys: BTreeSet<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["cardsV2", "text", "thread"].into());
        let widgets = message["cardsV2"][0]["card"]["sections"][0]["widgets"].as_array().unwrap();
        for widget in widgets {
            let (kind, inner) = widget.as_object().unwrap().iter().next().unwrap();
            assert!(["textParagraph", "decoratedText", "buttonList"].contains(&kind.as_str()), "{kind}");
            assert!(kind == "buttonList" || !inner["text"].as_str().unwrap().is_empty(), "an empty widget");
        }
        let mut found = Vec::new();
        texts(&message, &mut found, "");
        for (key, text) in found.iter().filter(|(key, _)| ["text", "topLabel"].contains(&key.as_str())) {
            assert!(!text.contains(['<', '>']), "{key}: {text}");
        }
    }
}

#[tokio::test]
async fn an_incident_s_messages_share_a_thread_and_a_dead_webhook_is_given_up() {
    let receiver = Receiver::start(answer("200 OK", "", "{}")).await;
    let url = format!("http://{}/v1/spaces/A/messages?key=k&token=secretpart", receiver.address);
    let sink = build("google_chat", &format!("url = '{url}'\nallow_private = ['127.0.0.0/8']")).unwrap();
    let (opened, mut closed, mut other) = (alert(""), alert(""), alert(""));
    (closed.id, closed.alert_type) = ("a-50".to_owned(), AlertType::IncidentClosed);
    other.incident.as_mut().unwrap().id = "i-8".to_owned();
    for alert in [&opened, &closed, &other] {
        sink.send(alert).await.unwrap();
    }
    let threads: Vec<String> = receiver
        .requests()
        .iter()
        .map(|request| serde_json::from_str::<Value>(&request.body).unwrap()["thread"]["threadKey"].to_string())
        .collect();
    assert!(threads[0] == threads[1] && threads[1] != threads[2], "{threads:?}");
    receiver.becomes(answer("404 Not Found", "", "{\"error\":{\"message\":\"gone, secretpart\"}}"));
    let error = sink.send(&opened).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { .. }) && !error.to_string().contains("secretpart"), "{error}");
}
