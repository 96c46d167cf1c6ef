//! STIX objects: judged by OASIS' validator, and taken by the reference TAXII server.

use super::{
    alerts::{alert, build, judge, many, peer, test_alert},
    receiver::{Receiver, answer},
};
use serde_json::{Value, json};
use telltale::{
    domain::alert::{Alert, AlertType},
    sinks::sink::{Sink, SinkError},
};

fn taxii(url: &str) -> Box<dyn Sink> {
    let text = format!("url = '{url}'\nuser = 'telltale'\npassword = 'wordword'\nallow_private = ['127.0.0.0/8']");
    build("taxii", &text).unwrap()
}

/// An alert of an incident that no other test knows.
fn fresh(second: i64) -> Alert {
    let mut alert = alert("<script> 'or' \u{202e}");
    let id = uuid::Uuid::now_v7().simple().to_string();
    alert.id = format!("a-{id}");
    alert.at = jiff::Timestamp::from_second(1_795_464_000 + second).unwrap();
    alert.incident.as_mut().unwrap().id = format!("i-{id}");
    alert
}

#[tokio::test]
async fn every_object_is_valid() {
    // It says nothing of how many it took.
    let receiver = Receiver::start(answer("202 Accepted", "", "{\"status\":\"complete\"}")).await;
    let sink = taxii(&format!("http://{}/root/collections/1", receiver.address));
    for alert in many().iter().step_by(3) {
        assert!(matches!(sink.send(alert).await.unwrap_err(), SinkError::Retry { .. }), "it counts what was taken");
    }
    let requests = receiver.requests();
    assert!(requests[0].head.starts_with("POST /root/collections/1/objects/ "), "{}", requests[0].head);
    for header in ["accept", "content-type"] {
        assert_eq!(requests[0].headers[header], "application/taxii+json;version=2.1");
    }
    let lines: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert!(judge("check_stix.py", &format!("{}\n", lines.join("\n"))).contains("valid"));
}

#[tokio::test]
async fn a_real_server_takes_all_of_it_and_a_repetition_is_no_failure() {
    let url = peer("TELLTALE_TEST_TAXII");
    let sink = taxii(&url);
    sink.probe().await.unwrap();
    let (opened, mut closed) = (fresh(0), fresh(60));
    closed.incident.as_mut().unwrap().id = opened.incident.as_ref().unwrap().id.clone();
    closed.alert_type = AlertType::IncidentClosed;
    for alert in [&opened, &opened, &closed, &closed] {
        sink.send(alert).await.unwrap();
    }
    let test = Alert { id: fresh(0).id, ..test_alert() };
    sink.send(&test).await.unwrap();

    let client = crate::support::serving::client();
    let asked = client
        .get(format!("{url}objects/?match[type]=incident,sighting&match[version]=all"))
        .basic_auth("telltale", Some("wordword"))
        .header("accept", "application/taxii+json;version=2.1");
    let found: Value = asked.send().await.unwrap().json().await.unwrap();
    let objects = found["objects"].as_array().unwrap();
    let incidents: Vec<&Value> = objects
        .iter()
        .filter(|object| {
            let known = &object["external_references"][0]["external_id"];
            known.as_str().is_some_and(|known| known.contains(&opened.id[2..]) || known.contains(&closed.id[2..]))
                || known.as_str().is_some_and(|known| known.contains(&opened.incident.as_ref().unwrap().id[2..]))
        })
        .collect();
    assert_eq!(incidents.len(), 2, "two versions: {incidents:?}");
    assert!(incidents.iter().all(|version| version["id"] == incidents[0]["id"]), "of one incident");
}

#[tokio::test]
async fn what_the_server_refuses_is_told_and_its_word_is_not() {
    let wrong = build(
        "taxii",
        &format!(
            "url = '{}'\nuser = 'telltale'\npassword = 'wrongword'\nallow_private = ['127.0.0.0/8']",
            peer("TELLTALE_TEST_TAXII")
        ),
    );
    let error = wrong.unwrap().send(&fresh(0)).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { status: Some(401), .. }), "{error:?}");
    let failure = json!({"id": "identity--x", "message": "no wordword"});
    let receiver = Receiver::start(answer(
        "202 Accepted",
        "",
        &json!({"status": "complete", "failures": [failure], "failure_count": 1}).to_string(),
    ))
    .await;
    let sink = taxii(&format!("http://{}/root/collections/1/objects/", receiver.address));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { .. }) && error.to_string().contains("identity--x"), "{error}");
    assert!(!error.to_string().contains("wordword"), "{error}");
    receiver.becomes(answer("200 OK", "", "<html>"));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    for (text, key) in [
        ("url = 'http://x/elsewhere'", "url"),
        ("url = 'http://x/r/collections/1'\nreveal = true", "reveal"),
        ("url = 'http://x/r/collections/1'\nuser = 'a'", "password"),
        ("url = 'http://x/r/collections/1'\npassword = 'a'", "user"),
    ] {
        assert_eq!(build("taxii", text).err().unwrap().key, key);
    }
}
