//! Documents in the Elastic Common Schema, judged by Elastic's own list of fields; and what a `_bulk` answers.

use super::{
    alerts::{alert, build, judge_lines, many},
    receiver::{Receiver, answer},
};
use serde_json::{Value, json};
use telltale::sinks::sink::{Sink, SinkError};

const KEY: &str = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==";

fn elastic(address: &str) -> Box<dyn Sink> {
    let text = format!("url = 'http://{address}/es/'\napi_key = '{KEY}'\nallow_private = ['127.0.0.0/8']");
    build("elasticsearch", &text).unwrap()
}

fn item(status: u16) -> String {
    let error = json!({"type": "some_exception", "reason": format!("why {KEY}")});
    json!({"took": 1, "errors": status >= 300, "items": [{"create": {"status": status, "error": error}}]}).to_string()
}

#[tokio::test]
async fn every_document_keeps_to_the_schema() {
    let receiver = Receiver::start(answer("200 OK", "", &item(201))).await;
    let sink = elastic(&receiver.address);
    for alert in many() {
        assert_eq!(sink.send(&alert).await.unwrap().status, Some(201));
    }
    let requests = receiver.requests();
    assert!(requests[0].head.starts_with("POST /es/_bulk "), "{}", requests[0].head);
    assert_eq!(requests[0].headers["content-type"], "application/x-ndjson");
    assert_eq!(requests[0].headers["authorization"], format!("ApiKey {KEY}"));
    let lines: Vec<String> = requests.iter().map(|request| json!(request.body).to_string()).collect();
    judge_lines("check_ecs.mjs", &lines);
}

#[tokio::test]
async fn what_is_there_already_is_delivered_and_each_item_s_status_counts() {
    let receiver = Receiver::start(answer("200 OK", "", &item(409))).await;
    let sink = elastic(&receiver.address);
    assert_eq!(sink.send(&alert("")).await.unwrap().status, Some(409), "a conflict: it is there");
    for (status, gives_up) in [(429, false), (503, false), (400, true), (403, true)] {
        receiver.becomes(answer("200 OK", "", &item(status)));
        let error = sink.send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::GiveUp { .. }), gives_up, "{error:?}");
        assert!(error.to_string().contains("some_exception") && !error.to_string().contains(KEY), "{error}");
    }
    for (whole, body, gives_up) in [
        ("200 OK", "<html>welcome</html>", false),
        ("401 Unauthorized", "no", true),
        ("503 Busy", "", false),
        ("413 Large", "", false),
    ] {
        receiver.becomes(answer(whole, "", body));
        let error = sink.send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::GiveUp { .. }), gives_up, "{whole}: {error:?}");
    }
    let ids: Vec<Value> = receiver
        .requests()
        .iter()
        .map(|request| serde_json::from_str::<Value>(request.body.lines().next().unwrap()).unwrap())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "the same id at every attempt");
    let error = build("elasticsearch", "url = 'http://x'\nindex = 'Has Spaces'").err().unwrap();
    assert_eq!(error.key, "index");
}

#[tokio::test]
async fn a_user_and_password_may_stand_in_the_address() {
    let receiver = Receiver::start(answer("200 OK", "", &item(201))).await;
    let text = format!("url = 'http://siem:wordword@{}'\nallow_private = ['127.0.0.0/8']", receiver.address);
    build("elasticsearch", &text).unwrap().send(&alert("")).await.unwrap();
    let request = &receiver.requests()[0];
    assert!(request.head.starts_with("POST /_bulk "), "{}", request.head);
    assert_eq!(request.headers["authorization"], "Basic c2llbTp3b3Jkd29yZA==");
}
