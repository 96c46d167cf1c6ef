//! Alerts of Jira Service Management, held against the limits that its documentation gives. No library judges them.

use super::{
    alerts::{alert, build, many, test_alert},
    receiver::{Receiver, answer},
};
use serde_json::Value;
use telltale::{domain::alert::AlertType, sinks::sink::SinkError};

#[tokio::test]
async fn every_alert_keeps_to_the_limits() {
    let receiver = Receiver::start(answer("202 Accepted", "", "{\"result\":\"Request will be processed\"}")).await;
    let text = format!(
        "url = 'http://{}/jsm/ops/integration/v2/alerts'\nkey = 'wordwordword'\ntags = ['hr']\nallow_private = ['127.0.0.0/8']",
        receiver.address
    );
    let sink = build("jsm", &text).unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests = receiver.requests();
    assert!(requests.len() > 500, "updates and tests ask twice");
    for request in requests {
        assert_eq!(request.headers["authorization"], "GenieKey wordwordword");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let length = |key: &str| body[key].as_str().map_or(0, |text| text.chars().count());
        if !request.head.starts_with("POST /jsm/ops/integration/v2/alerts HTTP") {
            assert!(length("note") > 0 && length("note") <= 25_000);
            continue;
        }
        assert!(length("message") > 0 && length("message") <= 130, "{body}");
        assert!(length("alias") > 0 && length("alias") <= 512 && length("description") <= 15_000);
        assert!(length("source") <= 100 && length("entity") <= 512 && request.body.len() < 100_000);
        assert!(["P1", "P2", "P3", "P4", "P5"].contains(&body["priority"].as_str().unwrap()));
        let details = body["details"].as_object().unwrap();
        assert!(details.values().all(Value::is_string) && body["details"].to_string().len() <= 8_000, "{body}");
        let tags = body["tags"].as_array().unwrap();
        assert!(tags.len() <= 20 && tags.contains(&"hr".into()));
        assert!(!body["message"].as_str().unwrap().chars().any(char::is_control));
    }
}

#[tokio::test]
async fn an_incident_is_one_alert_from_its_opening_to_its_end_and_a_test_closes_itself() {
    let receiver = Receiver::start(answer("202 Accepted", "", "{}")).await;
    let text =
        format!("url = 'http://{}/alerts'\nkey = 'wordwordword'\nallow_private = ['127.0.0.0/8']", receiver.address);
    let sink = build("jsm", &text).unwrap();
    for alert_type in [AlertType::IncidentOpened, AlertType::IncidentUpdated, AlertType::IncidentClosed] {
        let mut alert = alert("");
        alert.alert_type = alert_type;
        sink.send(&alert).await.unwrap();
    }
    sink.send(&test_alert()).await.unwrap();
    let paths: Vec<String> =
        receiver.requests().iter().map(|request| request.head.split(' ').nth(1).unwrap().to_owned()).collect();
    let alias =
        serde_json::from_str::<Value>(&receiver.requests()[0].body).unwrap()["alias"].as_str().unwrap().to_owned();
    let of = |alias: &str, verb: &str| format!("/alerts/{alias}/{verb}?identifierType=alias");
    assert_eq!(paths[..4], ["/alerts".to_owned(), "/alerts".to_owned(), of(&alias, "notes"), of(&alias, "close")]);
    assert_eq!((&*paths[4], paths[5].ends_with("/close?identifierType=alias"), paths.len()), ("/alerts", true, 6));
    receiver.becomes(answer("422 Unprocessable", "", "wordwordword"));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && !error.to_string().contains("wordword"), "{error}");
    receiver.becomes(answer("429 Slow", "retry-after: 7\r\n", ""));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { after: Some(after), .. } if after.as_secs() == 7));
}
