//! Times that cannot be: nobody sees a canary before it was planted, nor tomorrow.

use crate::support::{
    inbox::Inbox,
    service::{Site, marker},
    serving::client,
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_trace_of_a_time_that_cannot_be_is_refused() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    site.init().await;
    site.run("trace export.csv --seen-at 2019-05-01T00:00:00Z").await.ends(1);
    site.run("plant export --count 6 --json").await.ends(0);
    for (when, parts) in [
        ("2019-05-01T00:00:00Z", ["2019-05-01", "before the first canary was planted", "--seen-at"]),
        ("2199-05-01T00:00:00Z", ["2199-05-01", "in the future", "--seen-at"]),
    ] {
        for record in ["", " --record"] {
            let complaint = site.run(&format!("trace export.csv --seen-at {when}{record}")).await.complaint();
            assert!(parts.iter().all(|part| complaint.contains(part)), "{complaint}");
        }
    }
    let now = jiff::Timestamp::now();
    site.run(&format!("trace export.csv --seen-at {now} --json")).await.ends(0).json();

    let token = site.token("investigator").await;
    let serving = site.serve().await;
    let material = serving.api("/api/v1/material?path=a.csv&seen_at=2199-05-01T00:00:00Z");
    let answer = client().post(material).bearer_auth(&token).body("a").send().await.unwrap();
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains("in the future"));
}

/// Reliability test T27.
#[tokio::test]
async fn a_login_of_a_time_that_cannot_be_counts_when_it_was_received() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    site.init().await;
    site.run("plant payroll --count 6 --json").await.ends(0);
    let token = site.token("ingest").await;
    let before = jiff::Timestamp::now();
    let serving = site.serve().await;
    serving.settled().await;
    let canaries = site.canaries("payroll").await;
    let told = ["1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "2020-02-02T00:00:00Z", "1999-12-31T23:59:59Z"];
    let events = told.iter().zip(&canaries).map(|(at, canary)| {
        json!({"username": marker(canary, "username"), "outcome": "failure", "service": "vpn", "at": at}).to_string()
            + "\n"
    });
    let body: String = events.collect();
    let answer = client().post(serving.api("/api/v1/logins")).bearer_auth(&token).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let mut shown = Value::Null;
    for _ in 0..100 {
        let list = site.run("incidents list --json").await;
        if list.code == Some(0) && list.json()["items"][0]["sightings"] == 4 {
            let id = list.json()["items"][0]["id"].as_str().unwrap().to_owned();
            shown = site.run(&format!("incidents show {id} --json")).await.ends(0).json();
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let items = shown["items"].as_array().expect("an incident of four sightings");
    assert_eq!(items.iter().map(|sighting| sighting["claimed_at"].as_str().unwrap()).collect::<Vec<_>>(), told);
    for sighting in items {
        let at: jiff::Timestamp = sighting["at"].as_str().unwrap().parse().unwrap();
        assert!(at > before && sighting["at"] == sighting["received_at"], "{sighting}");
    }
    assert_eq!(shown["attribution"]["verdict"], "attributed", "{shown}");
    let window = &shown["attribution"]["window"];
    let from: jiff::Timestamp = window["from"].as_str().unwrap().parse().unwrap();
    let to: jiff::Timestamp = window["to"].as_str().unwrap().parse().unwrap();
    assert!(before.duration_since(from).as_hours() < 1 && to <= jiff::Timestamp::now(), "{window}");
    let id = shown["id"].as_str().unwrap();
    let text = site.run(&format!("incidents show {id}")).await.ends(0).stdout;
    assert!(text.contains("said to be of 1970-01-01T00:00:00Z"), "{text}");
}
