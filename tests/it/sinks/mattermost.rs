//! Attachments for Mattermost, held against the limits and the syntax that its documentation names: no library of its
//! makers judges them.

use super::{
    alerts::{alert, build, many},
    receiver::{Receiver, answer},
};
use serde_json::Value;
use telltale::sinks::sink::SinkError;

#[tokio::test]
async fn every_message_is_within_the_limits_and_pings_nobody() {
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let sink = build(
        "mattermost",
        &format!("url = 'http://{}/hooks/secretpart'\nallow_private = ['127.0.0.0/8']", receiver.address),
    )
    .unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    for request in receiver.requests() {
        let message: Value = serde_json::from_str(&request.body).unwrap();
        assert!(request.body.len() < 100_000 && message["text"].as_str().unwrap().chars().count() < 16_383);
        let attachment = &message["attachments"][0];
        let mut texts = vec![&message["text"], &attachment["fallback"], &attachment["text"], &attachment["footer"]];
        for field in attachment["fields"].as_array().unwrap() {
            texts.extend([&field["title"], &field["value"]]);
            assert!(field["short"].is_boolean());
        }
        for text in texts.into_iter().map(|text| text.as_str().unwrap()) {
            for ping in ["@all", "@channel", "@here", "@everyone", "://", "\n"] {
                assert!(!text.contains(ping), "{ping:?} in {text}");
            }
        }
        assert!(
            attachment["title_link"].is_null() || attachment["title_link"].as_str().unwrap().starts_with("https://")
        );
    }
    receiver.becomes(answer("403 Forbidden", "", "Invalid webhook"));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { .. }) && error.to_string().contains("Invalid webhook"), "{error}");
    receiver.becomes(answer("500 Oops", "", ""));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
}
