//! A flood of touches is one incident with an exact count: an alert, then summaries in their time, and an alert about
//! another canary waits for none of it. Reliability test T15; a million touches with TELLTALE_LONG.

use crate::support::{
    inbox::Inbox,
    service::{Site, marker},
    serving::client,
};
use serde_json::{Value, json};
use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use telltale::{
    app,
    config::load::load,
    domain::sighting::{Class, Presented, Touch},
    flow::{context::Context, judge, notify, observe, plant, progress::Progress, summaries},
};

/// A house on a clock of the test's own, with canaries in it.
struct House {
    context: Arc<Context>,
    time: Arc<AtomicI64>,
    logins: Vec<String>,
    _site: Site,
}

impl House {
    async fn found(inbox: &str) -> House {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let site = Site::stocked(60, inbox);
        site.init().await;
        let config = load(&site.path("telltale.toml"), iter::empty()).unwrap();
        let time = Arc::new(AtomicI64::new(jiff::Timestamp::now().as_second()));
        let told = time.clone();
        let clock = Arc::new(move || jiff::Timestamp::from_second(told.load(Ordering::SeqCst)).unwrap());
        let context = app::build(&config, clock, false).unwrap().context;
        app::fill_index(&context).unwrap();
        plant::plant(&context, &["payroll".to_owned()], Some(4), &Progress::default()).await.unwrap();
        let rows = context.ledger.placements(None).unwrap();
        let contents = rows
            .iter()
            .map(|row| context.ledger.contents(&context.journal, row.placement.canary).unwrap().unwrap().markers);
        let logins = contents
            .flatten()
            .filter(|marker| marker.kind == canaries::MarkerKind::Username)
            .map(|marker| marker.value)
            .collect();
        House { context, time, logins, _site: site }
    }

    /// So many logins of the first canary, and they are judged.
    async fn touched(&self, count: usize) {
        let touch = Touch {
            sensor: "portal".to_owned(),
            reporter: "192.0.2.7".to_owned(),
            class: Class::Login,
            at: self.context.now(),
            source_ip: None,
            service: "portal".to_owned(),
            presented: vec![Presented {
                hint: Some(canaries::MarkerKind::Username),
                value: self.logins[0].clone(),
                hmac: false,
            }],
            text: Vec::new(),
            evidence: Vec::new(),
        };
        let all = (0..count).map(|_| observe::observe(&self.context, touch.clone(), false));
        for seen in futures_util::future::join_all(all).await {
            assert_eq!(seen.unwrap().len(), 1);
        }
        while judge::judge(&self.context).await.unwrap() {}
    }

    /// So many seconds pass; answers how many summaries were due then. What is due is delivered.
    async fn pass(&self, seconds: i64) -> usize {
        self.time.fetch_add(seconds, Ordering::SeqCst);
        let told = summaries::tell(&self.context).await.unwrap();
        for slot in &self.context.sinks {
            while notify::deliver_due(&self.context, slot).await.unwrap() > 0 {}
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_growth_is_summed_up_after_a_minute_ten_minutes_an_hour_and_then_each_day() {
    const HOUR: i64 = 3600;
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address).await;
    house.touched(1).await;
    assert_eq!(house.pass(0).await, 0);
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
        assert_eq!(house.pass(seconds).await, due, "{more} more, {seconds} s later; told before: {told:?}");
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
    house.time.fetch_sub(5 * HOUR, Ordering::SeqCst);
    assert_eq!(house.pass(0).await, 1);
    assert_eq!(house.pass(0).await, 0);
    house.context.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_flood_is_one_incident_and_another_stores_alert_leaves_within_a_second() {
    let count: u64 = if std::env::var_os("TELLTALE_LONG").is_some() { 1_000_000 } else { 6_000 };
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
    let mut accepted = 0;
    let mut second = None;
    // As fast as a build without optimisation takes them in beside other tests.
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    while accepted < count {
        pace.tick().await;
        accepted += post(line(&flooded).repeat(250)).await;
        if second.is_none() && accepted >= count / 2 {
            let asked = Instant::now();
            assert_eq!(post(line(&other)).await, 1);
            inbox.wait("/hook", |received| opened("export", &received.json())).await;
            second = Some(asked.elapsed());
        }
    }
    let late = second.expect("it was touched in the midst of the flood");
    assert!(late < Duration::from_secs(1), "the other alert took {late:?}");
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
    assert!(inbox.at("/hook").len() <= 2 + usize::from(late.as_secs() > 0) + (count / 200_000) as usize);
    serving.terminate().await;
}
