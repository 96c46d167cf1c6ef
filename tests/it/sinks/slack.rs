//! Slack: what is sent passes Slack's own models, whatever stands in it; what Slack answers is understood.

use super::{
    alerts::{alert, build, hostile, judge, revealing, test_alert},
    receiver::{Manner, Receiver, answer},
};
use std::time::Duration;
use telltale::sinks::sink::{Sink, SinkError};

async fn slack(manner: Manner) -> (Receiver, Box<dyn Sink>) {
    let receiver = Receiver::start(manner).await;
    let url = format!("http://{}/services/T0000/B0000/verysecretpath", receiver.address);
    let sink = build("slack", &format!("url = '{url}'\nallow_private = ['127.0.0.0/8']")).unwrap();
    (receiver, sink)
}

#[tokio::test]
async fn every_message_passes_slack_s_own_models() {
    let (receiver, sink) = slack(answer("200 OK", "", "ok")).await;
    for text in hostile() {
        let receipt = sink.send(&alert(&text)).await.unwrap();
        assert_eq!((receipt.status, receipt.response.as_str()), (Some(200), "ok"));
    }
    sink.send(&test_alert()).await.unwrap();
    let requests = receiver.requests();
    assert_eq!(requests.len(), hostile().len() + 1);
    for request in &requests {
        assert_eq!(judge("check_slack.py", &request.body).trim(), "valid");
    }
    let first: serde_json::Value = serde_json::from_str(&requests[0].body).unwrap();
    let text = first.to_string();
    for part in [
        "CRITICAL",
        "payroll",
        "log10 LR 9.2",
        "41",
        "few canaries",
        "a-42",
        "https://telltale.example.org/incidents/i-7",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(requests.last().unwrap().body.contains("[TEST]"));
}

#[tokio::test]
async fn a_revealed_value_is_told_whatever_stands_in_it() {
    let (receiver, sink) = slack(answer("200 OK", "", "ok")).await;
    for text in hostile() {
        sink.send(&revealing(&text, "c.moreau")).await.unwrap();
    }
    for request in receiver.requests() {
        assert_eq!(judge("check_slack.py", &request.body).trim(), "valid");
        assert!(request.body.contains("*Markers*\\nusername c.moreau"), "{}", request.body);
    }
    sink.send(&alert("")).await.unwrap();
    assert!(!receiver.requests().last().unwrap().body.contains("Markers"));
}

#[tokio::test]
async fn a_drill_is_marked() {
    let (receiver, sink) = slack(answer("200 OK", "", "ok")).await;
    let mut drill = alert("");
    drill.drill = true;
    sink.send(&drill).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&receiver.requests()[0].body).unwrap();
    assert!(body["text"].as_str().unwrap().starts_with("[DRILL] [CRITICAL]"), "{body}");
    assert!(body["blocks"][0]["text"]["text"].as_str().unwrap().starts_with("[DRILL] "), "{body}");
}

#[tokio::test]
async fn slack_s_answers_are_understood() {
    for (status, body) in [
        ("403 Forbidden", "action_prohibited"),
        ("404 Not Found", "channel_not_found"),
        ("410 Gone", "channel_is_archived"),
    ] {
        let (_receiver, sink) = slack(answer(status, "", body)).await;
        let error = sink.send(&alert("")).await.unwrap_err();
        assert!(matches!(error, SinkError::GiveUp { .. }), "{status}: {error:?}");
        assert!(error.to_string().contains(body), "{error}");
    }
    let (_receiver, sink) = slack(answer("429 Too Many Requests", "retry-after: 30\r\n", "")).await;
    let SinkError::Retry { after, status, .. } = sink.send(&alert("")).await.unwrap_err() else { panic!("gave up") };
    assert_eq!((after, status), (Some(Duration::from_secs(30)), Some(429)));
    for (status, body) in [("500 Oops", "rollup_error"), ("200 OK", "<html>sign in</html>")] {
        let (_receiver, sink) = slack(answer(status, "", body)).await;
        let error = sink.send(&alert("")).await.unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn the_address_that_is_the_key_is_never_told() {
    let (_receiver, sink) = slack(answer("500 Oops", "", "no such hook: /services/T0000/B0000/verysecretpath")).await;
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(error.to_string().contains("[secret]") && !error.to_string().contains("verysecretpath"), "{error}");
    let sink =
        build("slack", "url = 'http://127.0.0.1:9/services/verysecretpath'\nallow_private = ['127.0.0.0/8']").unwrap();
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(!format!("{error:?}").contains("verysecretpath"), "{error:?}");
    assert!(!sink.probe().await.unwrap_err().to_string().contains("verysecretpath"));
}
