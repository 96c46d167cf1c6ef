//! Signed webhooks, as the Standard Webhooks library and `cryptography` judge them.

use super::{
    alerts::{alert, build, hostile, judge, test_alert},
    receiver::{Receiver, answer},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

fn written(prefix: &str, byte: u8) -> String {
    format!("{prefix}{}", STANDARD.encode([byte; 32]))
}

#[tokio::test]
async fn both_signatures_and_the_previous_secret_verify() {
    let receiver = Receiver::start(answer("204 No Content", "", "")).await;
    let (secret, previous, private) = (written("whsec_", 1), written("whsec_", 2), written("whsk_", 3));
    let keys = format!("secret = '{secret}'\nprevious_secret = '{previous}'\nsigning_key = '{private}'");
    let url = format!("http://{}/hook", receiver.address);
    let sink = build("webhook", &format!("url = '{url}'\nallow_private = ['127.0.0.1/32']\n{keys}")).unwrap();
    assert_eq!(sink.send(&alert("")).await.unwrap().status, Some(204));
    sink.send(&alert("")).await.unwrap();
    let public = webhooks::SigningKey::parse(&private).unwrap().public().to_string();
    let requests = receiver.requests();
    for request in &requests {
        let given =
            json!({"secrets": [secret, previous], "public": public, "headers": request.headers, "body": request.body});
        assert_eq!(judge("check_webhook.py", &given.to_string()).trim(), "valid");
        assert_eq!(request.headers["webhook-id"], "a-42");
    }
    assert_eq!(requests[0].body, requests[1].body, "repeated attempts carry the same body");
}

#[tokio::test]
async fn the_body_is_the_contract_s_and_thin() {
    let receiver = Receiver::start(answer("200 OK", "", "")).await;
    let url = format!("http://{}/", receiver.address);
    let text = format!("url = '{url}'\nsecret = '{}'\nallow_private = ['127.0.0.0/8']", written("whsec_", 1));
    let sink = build("webhook", &text).unwrap();
    sink.send(&alert("")).await.unwrap();
    sink.send(&test_alert()).await.unwrap();
    let bodies: Vec<serde_json::Value> =
        receiver.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let body = &bodies[0];
    assert_eq!(body["type"], "incident.opened");
    assert_eq!(body["timestamp"], "2026-11-23T20:00:00Z");
    assert_eq!(body["data"]["incident"]["id"], "i-7");
    assert_eq!(body["data"]["attribution"]["stores"][0]["log10_lr"], 9.2);
    assert_eq!(body["data"]["attack"], json!(["T1078"]));
    assert_eq!(body["data"]["links"]["incident"], "https://telltale.example.org/incidents/i-7");
    assert_eq!(body["data"]["sightings"][0]["marker_kind"], "username");
    assert_eq!(body["data"]["sightings"][0]["source_ip"], "203.0.113.9");
    assert_eq!(bodies[1]["type"], "sink.test");
    assert_eq!(bodies[1]["data"]["incident"], serde_json::Value::Null);
    assert_eq!(bodies[1]["data"]["drill"], true);
}

#[tokio::test]
async fn hostile_text_leaves_it_json_and_signed() {
    let receiver = Receiver::start(answer("200 OK", "", "")).await;
    let secret = written("whsec_", 1);
    let url = format!("http://{}/", receiver.address);
    let sink =
        build("webhook", &format!("url = '{url}'\nsecret = '{secret}'\nallow_private = ['127.0.0.0/8']")).unwrap();
    for text in hostile() {
        sink.send(&alert(&text)).await.unwrap();
        let request = receiver.requests().pop().unwrap();
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert!(body["data"]["sightings"][0]["service"].as_str().unwrap().chars().count() <= 300);
        assert!(!request.body.contains(char::is_control) && !request.body.contains('\u{202e}'));
        assert!(request.body.len() < 32 * 1024, "{}", request.body.len());
        assert_eq!(request.head.matches("POST / HTTP/1.1").count(), 1);
        let given = json!({"secrets": [secret], "headers": request.headers, "body": request.body});
        judge("check_webhook.py", &given.to_string());
    }
}
