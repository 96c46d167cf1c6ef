//! A flood of touches is one incident with an exact count: an alert, then summaries in their time, and an alert about
//! another canary waits for none of it. Reliability test T15; a million touches with TELLTALE_LONG.

use crate::{
    flow::house::House,
    support::{
        inbox::Inbox,
        service::{Site, marker},
        serving::client,
    },
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn t15_growth_is_summed_up_after_a_minute_ten_minutes_an_hour_and_then_each_day() {
    const HOUR: i64 = 3600;
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address, "").await;
    house.touched(1).await;
    assert_eq!(house.summed_up(0).await, 0);
    let mut total = 1;
    let mut told = Vec::new();
    // So many more touches, so many seconds later, and whether that is told.
    for (more, seconds, due) in [
        (40, 59, 0),
        (2, 1, 1),
        (0, 600, 0),
        (5, 0, 1),
        (5, 2999 - 600, 0),
        (1, 601, 1),
        (7, 23 * HOUR, 0),
        (7, HOUR, 1),
        (1, 47 * HOUR, 1),
        (3, 60, 0),
        (3, 50 * HOUR, 1),
        (9, 60, 1),
    ] {
        house.touched(more).await;
        total += more;
        assert_eq!(house.summed_up(seconds).await, due, "{more} more, {seconds} s later; told before: {told:?}");
        if due == 1 {
            told.push(total as u64);
        }
    }
    let alerts: Vec<Value> = inbox.at("/hook").iter().map(|received| received.json()).collect();
    assert_eq!(alerts.len(), 1 + told.len(), "{alerts:#?}");
    assert_eq!((&alerts[0]["type"], &alerts[0]["data"]["growth"]), (&json!("incident.opened"), &Value::Null));
    let growth: Vec<&Value> = alerts[1..].iter().map(|alert| &alert["data"]["growth"]).collect();
    assert!(alerts[1..].iter().all(|alert| alert["type"] == "incident.updated"));
    let counted = |alert: &Value| alert["data"]["incident"]["sightings"].as_u64().unwrap();
    assert_eq!(alerts[1..].iter().map(counted).collect::<Vec<_>>(), told, "the count is exact");
    let more: u64 = growth.iter().map(|growth| growth["sightings"].as_u64().unwrap()).sum();
    assert_eq!(more, total as u64 - 1, "no touch is told twice, and none is left out");
    let opening = alerts[0]["data"]["sightings"][0]["id"].as_u64().unwrap();
    let ids: Vec<(u64, u64)> =
        growth.iter().map(|growth| (growth["first"].as_u64().unwrap(), growth["last"].as_u64().unwrap())).collect();
    assert!(ids.iter().all(|(first, last)| *first == opening && last > first), "{ids:?}");
    assert!(ids.windows(2).all(|two| two[0].1 < two[1].1), "each names the last so far: {ids:?}");
    let summary = alerts[1]["data"]["summary"].as_str().unwrap();
    assert!(summary.contains("42 more sightings since") && summary.contains("43 in all"), "{summary}");

    // T27: a clock that is put back holds nothing up.
    house.touched(1).await;
    assert_eq!(house.summed_up(-5 * HOUR).await, 1);
    house.touched(1).await;
    assert_eq!(house.summed_up(0).await, 0);
    house.context.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_flood_is_one_incident_and_another_stores_alert_leaves_within_a_second() {
    let long = std::env::var_os("TELLTALE_LONG").is_some();
    let count: u64 = if long { 1_000_000 } else { 3_000 };
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    site.init().await;
    site.run("plant --count 4 --json").await.ends(0);
    let token = site.token("ingest").await;
    let (flooded, other) =
        (marker(&site.canaries("payroll").await[0], "username"), marker(&site.canaries("export").await[0], "username"));
    let serving = site.serve().await;
    serving.settled().await;
    let post = async |body: String| {
        let asked = client().post(serving.api("/api/v1/logins")).bearer_auth(&token).body(body).send().await.unwrap();
        assert_eq!(asked.status(), 202);
        asked.json::<Value>().await.unwrap()["accepted"].as_u64().unwrap()
    };
    let line = |login: &str| {
        format!("{}\n", json!({"username": login, "source_ip": "203.0.113.5", "outcome": "failure", "service": "vpn"}))
    };
    let opened = |store: &str, alert: &Value| {
        alert["type"] == "incident.opened" && alert["data"]["incident"]["stores"] == json!([store])
    };
    let began = Instant::now();
    let mut accepted = 0;
    let mut second = None;
    // As fast as a build without optimisation takes them in beside other tests.
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    while accepted < count {
        pace.tick().await;
        accepted += post(line(&flooded).repeat(100)).await;
        if second.is_none() && accepted >= count / 2 {
            let asked = Instant::now();
            assert_eq!(post(line(&other)).await, 1);
            inbox.wait("/hook", |received| opened("export", &received.json())).await;
            second = Some(asked.elapsed());
        }
    }
    let late = second.expect("it was touched in the midst of the flood");
    // Beside other tests, on a machine with few processors, nothing is within a second for certain.
    assert!(late < Duration::from_secs(if long { 1 } else { 5 }), "the other alert took {late:?}");
    let until = Instant::now() + Duration::from_secs(120);
    let items = loop {
        let items = site.run("incidents list --json").await.ends(0).json()["items"].clone();
        let judged: u64 = items.as_array().unwrap().iter().map(|item| item["sightings"].as_u64().unwrap()).sum();
        if judged == count + 1 {
            break items;
        }
        assert!(Instant::now() < until, "{judged} of {} are judged", count + 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let mut counts: Vec<u64> =
        items.as_array().unwrap().iter().map(|item| item["sightings"].as_u64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, count], "one incident each, and every touch is counted");
    let flood = inbox.at("/hook").iter().filter(|received| opened("payroll", &received.json())).count();
    assert_eq!(flood, 1, "one alert");
    let alerts: Vec<Value> = inbox.at("/hook").iter().map(|received| received.json()).collect();
    let summaries = alerts.iter().filter(|alert| !alert["data"]["growth"].is_null()).count();
    assert_eq!(alerts.len() - summaries, 2, "{alerts:#?}");
    let minutes = began.elapsed().as_secs() / 60;
    assert!(summaries as u64 <= minutes, "{summaries} summaries in {minutes} min");
    serving.terminate().await;
}
