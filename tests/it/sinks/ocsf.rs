//! OCSF findings, judged by models of the published class.

use super::{
    alerts::{alert, build, judge, many},
    receiver::{Receiver, answer},
};
use serde_json::Value;
use telltale::{domain::alert::AlertType, sinks::sink::SinkError};

#[tokio::test]
async fn every_finding_is_one_of_its_class() {
    let receiver = Receiver::start(answer("202 Accepted", "", "")).await;
    let text =
        format!("url = 'http://{}/findings'\ntoken = 'wordword'\nallow_private = ['127.0.0.0/8']", receiver.address);
    let sink = build("ocsf", &text).unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests = receiver.requests();
    assert_eq!(requests[0].headers["authorization"], "Bearer wordword");
    let lines: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert!(judge("check_ocsf.py", &format!("{}\n", lines.join("\n"))).contains("valid"));
}

#[tokio::test]
async fn an_incident_is_one_finding_from_its_opening_to_its_end() {
    let receiver = Receiver::start(answer("200 OK", "", "")).await;
    let sink =
        build("ocsf", &format!("url = 'http://{}/'\nallow_private = ['127.0.0.0/8']", receiver.address)).unwrap();
    for (id, alert_type) in
        [("a-1", AlertType::IncidentOpened), ("a-2", AlertType::IncidentUpdated), ("a-3", AlertType::IncidentClosed)]
    {
        let mut alert = alert("");
        (alert.id, alert.alert_type) = (id.to_owned(), alert_type);
        sink.send(&alert).await.unwrap();
    }
    let findings: Vec<Value> =
        receiver.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let of = |path: &str| findings.iter().map(|finding| finding.pointer(path).unwrap().clone()).collect::<Vec<_>>();
    assert_eq!(of("/activity_id"), [1, 2, 3]);
    assert_eq!(of("/type_uid"), [200_401, 200_402, 200_403]);
    assert_eq!(of("/status_id"), [1, 2, 4]);
    assert!(of("/finding_info/uid").windows(2).all(|two| two[0] == two[1]), "one finding");
    assert!(of("/metadata/uid").windows(2).all(|two| two[0] != two[1]), "three records");
    receiver.becomes(answer("500 Oops", "", ""));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
}
