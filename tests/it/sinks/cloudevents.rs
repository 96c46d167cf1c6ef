//! CloudEvents, judged by the project's own library.

use super::{
    alerts::{alert, build, judge, many},
    receiver::{Receiver, answer},
};
use serde_json::json;
use telltale::sinks::sink::SinkError;

#[tokio::test]
async fn every_event_is_well_formed_and_known_by_source_and_id() {
    let receiver = Receiver::start(answer("204 No Content", "", "")).await;
    let text = format!(
        "url = 'http://{}/broker'\ntoken = 'wordword'\nsource = 'urn:telltale:paris'\nallow_private = ['127.0.0.0/8']",
        receiver.address
    );
    let sink = build("cloudevents", &text).unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests = receiver.requests();
    assert_eq!(requests[0].headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert_eq!(requests[0].headers["authorization"], "Bearer wordword");
    let lines: Vec<String> =
        requests.iter().map(|request| json!({"headers": request.headers, "body": request.body}).to_string()).collect();
    assert!(judge("check_cloudevents.py", &format!("{}\n", lines.join("\n"))).contains("valid"));

    receiver.becomes(answer("503 Busy", "", "wordword"));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }) && !error.to_string().contains("wordword"), "{error}");
    assert_eq!(build("cloudevents", "url = 'http://x'\nsource = 'no uri'").err().unwrap().key, "source");
}
