//! `kill -9` at random moments: no touch that was acknowledged is lost or told twice, no alert is lost or told under two ids,
//! and a planting that was cut short is finished by the next.

use crate::{
    flow::load::{Doors, Load, Sent},
    support::{
        campaign::{long, say, seed},
        inbox::Inbox,
        people::{dump_sqlite, rows},
        service::{Site, marker},
        serving::{Serving, client},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    process::Stdio,
    time::Duration,
};

fn dice() -> StdRng {
    let seed = seed();
    say(&format!("TELLTALE_SEED={seed}"));
    StdRng::seed_from_u64(seed)
}

/// Reliability test T9; 200 kills with TELLTALE_LONG.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_a_sighting_once_whenever_the_service_dies() {
    let kills = if long() { 200 } else { 6 };
    let mut dice = dice();
    let inbox = Inbox::start().await;
    let site = Site::stocked(100, &inbox.address);
    site.init().await;
    site.run("plant payroll --count 20 --json").await.ends(0).json();
    let (token, analyst) = (site.token("ingest").await, site.token("analyst").await);
    let canaries: Vec<(String, String)> = site
        .canaries("payroll")
        .await
        .iter()
        .map(|canary| (marker(canary, "username"), marker(canary, "work_email")))
        .collect();

    let load = Load::start(2, &canaries, &token);
    for kill in 0..kills {
        let serving = site.serve().await;
        load.at(Some(doors(&serving)));
        // Every other one dies while alerts are under way, the others mostly while the index is still being built.
        if kill % 2 == 0 {
            let closing = close_some(serving.api(""), &analyst);
            tokio::time::timeout(Duration::from_secs(60), closing).await.expect("there is an incident").unwrap();
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(20..1000))).await;
        serving.kill().await;
        load.at(None);
    }
    let serving = site.serve().await;
    load.at(Some(doors(&serving)));
    serving.settled().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    load.at(None);
    let sent = load.end().await;

    let incidents = judged(&site, &sent).await;
    let mut ids = BTreeSet::new();
    let mut seen: BTreeMap<Ipv4Addr, u32> = BTreeMap::new();
    for incident in &incidents {
        let id = incident["id"].as_str().unwrap();
        let shown = site.run(&format!("incidents show {id} --json")).await.ends(0).json();
        let items = shown["items"].as_array().unwrap();
        assert_eq!(shown["sightings"], items.len(), "the incident counts what it shows");
        for item in items {
            assert!(ids.insert(item["id"].as_u64().unwrap()), "no sighting stands twice: {item}");
            *seen.entry(item["source_ip"].as_str().unwrap().parse().unwrap()).or_default() += 1;
        }
    }
    let lost: Vec<_> = sent.iter().filter(|(from, sent)| owed(sent) && !seen.contains_key(*from)).collect();
    let some = &lost[..lost.len().min(5)];
    assert!(
        lost.is_empty(),
        "{} acknowledged, and no sighting: {some:?}; {} sightings in {} incidents; {:?}",
        lost.len(),
        ids.len(),
        incidents.len(),
        serving.said()
    );
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "sighted more than once: {twice:?}");
    let wrong: Vec<_> = seen.keys().filter(|from| !sent.get(*from).is_some_and(|sent| sent.canary)).collect();
    assert!(wrong.is_empty(), "nobody touched a canary from there: {wrong:?}");
    let alerts = told(&site, &inbox, &incidents).await;
    assert!(incidents.len() * 2 >= kills, "each that was closed was one: {alerts}");
    let owed = sent.values().filter(|sent| owed(sent)).count();
    let (sent, sighted) = (sent.len(), ids.len());
    say(&format!("{kills} kills: {sent} touches sent, {owed} of canaries acknowledged, {sighted} sightings, {alerts}"));
    assert!(owed > 20 * kills, "the load was real: {owed} acknowledged");
    assert_eq!(site.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");
}

/// Closes an incident as soon as there is one, which is told; and what is touched then opens another.
async fn close_some(api: String, analyst: &str) -> reqwest::Result<()> {
    let (client, address) = (client(), format!("{api}/api/v1/incidents"));
    loop {
        let listed: Value = client.get(&address).bearer_auth(analyst).send().await?.json().await?;
        let open = listed["items"].as_array().into_iter().flatten().find(|incident| incident["state"] != "closed");
        if let Some(id) = open.and_then(|incident| incident["id"].as_str()) {
            let closed = client.post(format!("{address}/{id}/close")).bearer_auth(analyst).send().await?;
            if closed.status() == 200 {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every alert has arrived, and twice only under the same id.
async fn told(site: &Site, inbox: &Inbox, incidents: &[Value]) -> String {
    let mut items = Vec::new();
    for _ in 0..240 {
        items = site.run("deliveries list --sink siem --json").await.json()["items"].as_array().unwrap().clone();
        if items.iter().all(|item| item["state"] == "delivered") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let undelivered: Vec<_> = items.iter().filter(|item| item["state"] != "delivered").collect();
    assert!(undelivered.is_empty(), "never delivered: {undelivered:?}");
    let raised: BTreeSet<String> = items.iter().map(|item| text(item, "alert")).collect();
    let opened: BTreeSet<String> =
        items.iter().filter(|item| item["type"] == "incident.opened").map(|item| text(item, "incident")).collect();
    let all: BTreeSet<String> = incidents.iter().map(|incident| text(incident, "id")).collect();
    assert_eq!(opened, all, "each incident was told");
    let received = inbox.at("/hook");
    // Nobody knows of an alert but by its id: what tells the same must bear the same.
    let (mut ids, mut tale): (BTreeMap<String, String>, BTreeMap<String, String>) = Default::default();
    for alert in &received {
        let (id, body) = (alert.header("webhook-id").to_owned(), alert.json());
        assert!(raised.contains(&id), "{id} was never raised");
        let tells = format!("{} {} {}", body["type"], body["timestamp"], body["data"]["incident"]["id"]);
        let first = ids.entry(tells.clone()).or_insert_with(|| id.clone());
        assert_eq!(*first, id, "told under two ids: {tells}");
        let before = tale.entry(id.clone()).or_insert_with(|| tells.clone());
        assert_eq!(*before, tells, "{id} tells two things");
    }
    assert_eq!(tale.into_keys().collect::<BTreeSet<_>>(), raised, "each alert has arrived");
    format!("{} incidents, {} alerts, {} of them twice", all.len(), raised.len(), received.len() - raised.len())
}

fn owed(sent: &Sent) -> bool {
    sent.acknowledged && sent.canary
}

fn doors(serving: &Serving) -> Doors {
    Doors { portal: serving.address("portal"), mx: serving.address("mx"), logins: serving.api("/api/v1/logins") }
}

/// The incidents, once all that is owed is in them and nothing more comes.
async fn judged(site: &Site, sent: &BTreeMap<Ipv4Addr, Sent>) -> Vec<Value> {
    let wanted = sent.values().filter(|sent| owed(sent)).count() as u64;
    let (mut last, mut still) = (0, 0);
    for _ in 0..600 {
        let items = site.run("incidents list --json").await.json()["items"].as_array().unwrap().clone();
        let count: u64 = items.iter().map(|item| item["sightings"].as_u64().unwrap()).sum();
        still = if count == last { still + 1 } else { 0 };
        last = count;
        // Too few for long is a loss, which the caller names.
        if still > 240 || (count >= wanted && still > 5) {
            return items;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("judging does not come to an end: {last} of {wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planting_that_was_cut_short_is_finished_by_the_next() {
    let kills = if long() { 30 } else { 6 };
    let mut dice = dice();
    let inbox = Inbox::start().await;
    let site = Site::stocked(400, &inbox.address);
    site.init().await;
    let before = (std::fs::read(site.path("export.csv")).unwrap(), dump_sqlite(&site.path("payroll.db")));
    let started = std::time::Instant::now();
    site.run("plant --count 4 --json").await.ends(0).json();
    let whole = started.elapsed().as_millis() as u64;
    let mut cut = 0;
    for kill in 1..=kills {
        let mut child = site
            .command(&["plant", "--count", &(4 + 5 * kill).to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(dice.random_range(whole / 8..=whole))).await;
        cut += u32::from(child.try_wait().unwrap().is_none());
        child.kill().await.unwrap();
    }
    say(&format!("{cut} of {kills} plantings were cut short"));
    assert!(cut > 0, "a kill came in time");
    let count = 4 + 5 * kills + 3;
    let planted = site.run(&format!("plant --count {count} --json")).await.ends(0).json();
    let verified = site.run("verify --json").await.ends(0).json();
    for place in 0..2 {
        assert_eq!(planted["stores"][place]["live"], count);
        let found = &verified["stores"][place];
        assert_eq!((&found["planted"], &found["missing"], &found["altered"]), (&json!(count), &json!([]), &json!([])));
    }
    let lines = std::fs::read_to_string(site.path("export.csv")).unwrap().lines().count();
    assert_eq!(lines, 1 + rows(0, 400).len() + count as usize, "each canary stands in the file once");
    site.run("withdraw --json").await.ends(0).json();
    assert_eq!(std::fs::read(site.path("export.csv")).unwrap(), before.0);
    assert_eq!(dump_sqlite(&site.path("payroll.db")), before.1);
}
