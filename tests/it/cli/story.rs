//! The whole story, from an empty folder to stores that are as they were.

use crate::support::{
    inbox::{Inbox, Received},
    names::Names,
    people::{DOMAIN, dump_sqlite},
    service::{SECRET, Site, marker},
    serving::client,
    traffic::{log_in, write_mail},
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, time::Duration};
use webhooks::{HmacKey, Verifier};

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_is_seen_told_and_attributed() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(300, &inbox.address);
    let (file_before, rows_before) =
        (std::fs::read(site.path("export.csv")).unwrap(), dump_sqlite(&site.path("payroll.db")));

    // Nothing is planted yet: look, and plan.
    let admin = site.init().await;
    assert!(admin.starts_with("tt_"), "secret scanners know a token by its start");
    everything_stands(&site).await;
    let profile = site.run("profile export --json").await.ends(0).json();
    assert_eq!((&profile["store"], &profile["rows"]), (&json!("export"), &json!(300)));
    for (field, column) in [("work_email", "email"), ("username", "username")] {
        assert_eq!(profile["proposed"][field], column, "{profile}");
    }
    assert!(!profile.to_string().contains(DOMAIN), "a profile keeps no value");
    let plan = site.run("plan --json").await.ends(0).json();
    let counts: Vec<u64> =
        plan["stores"].as_array().unwrap().iter().map(|store| store["count"].as_u64().unwrap()).collect();
    assert_eq!(plan["ghosts"], 1000);
    assert_eq!(std::fs::read(site.path("export.csv")).unwrap(), file_before, "a plan changes nothing");

    // Plant what was planned; again, and nothing is missing.
    let planted = site.run("plant --json").await.ends(0).json();
    let again = site.run("plant --json").await.ends(0).json();
    for (place, count) in counts.iter().enumerate() {
        assert_eq!(planted["stores"][place]["planted"], *count);
        assert_eq!((&again["stores"][place]["planted"], &again["stores"][place]["live"]), (&json!(0), &json!(count)));
    }
    let verified = site.run("verify --json").await.ends(0).json();
    assert_eq!(verified["stores"].as_array().unwrap().len(), 2);
    let thin = site.run("canaries list --json").await.ends(0).lines();
    assert_eq!(thin.len() as u64, counts.iter().sum::<u64>());
    assert!(
        thin.iter().all(|canary| canary["state"] == "planted" && canary["markers"][0]["value"].is_null()),
        "{thin:?}"
    );
    let payroll = site.canaries("payroll").await;
    let text = std::fs::read_to_string(site.path("export.csv")).unwrap();
    for canary in site.canaries("export").await {
        assert!(text.contains(&marker(&canary, "work_email")), "what the register reveals stands in the store");
    }

    // The payroll database is stolen, and used: at a portal, in a mail, at a login of another system.
    let serving = site.serve().await;
    serving.settled().await;
    let (first, second, third) = (&payroll[0], &payroll[1], &payroll[2]);
    let login = marker(first, "username");
    let source = Ipv4Addr::new(198, 51, 100, 7);
    assert_eq!(log_in(&client(), serving.address("portal"), source, &login, "Hiver2025!").await.unwrap(), 401);
    let opened = inbox.wait("/hook", |alert| alert.json()["type"] == "incident.opened").await;
    signed(&opened);
    let told = opened.json();
    assert_eq!(told["data"]["sightings"][0]["source_ip"], "198.51.100.7");
    assert_eq!(told["data"]["sightings"][0]["canary"], first["canary"]);
    assert!(told["data"]["attack"].as_array().unwrap().contains(&json!("T1078")));
    assert!(!told.to_string().contains(&login), "an alert bears no marker");

    assert_eq!(write_mail(serving.address("mx"), source, &marker(second, "work_email")).await.unwrap(), 250);
    let accused = |alert: &Received| {
        let told = alert.json();
        let stores = told["data"]["attribution"]["stores"].as_array().cloned().unwrap_or_default();
        told["type"] == "incident.updated" && stores.iter().any(|store| store["accused"] == true)
    };
    // Two are too few to accuse anybody by; six more are not.
    for canary in &payroll[3..9] {
        let login = marker(canary, "username");
        assert_eq!(log_in(&client(), serving.address("portal"), source, &login, "Hiver2025!").await.unwrap(), 401);
    }
    let updated = inbox.wait("/hook", accused).await;
    signed(&updated);
    assert_eq!(updated.json()["data"]["attribution"]["verdict"], "attributed");
    assert_eq!(updated.json()["data"]["attribution"]["stores"][0]["store"], "payroll");

    let token = site.token("ingest").await;
    let stranger = json!({"username": "nobody", "source_ip": "203.0.113.9", "outcome": "failure", "service": "vpn"});
    let thief = json!({"username": marker(third, "username"), "source_ip": "198.51.100.8", "outcome": "failure", "service": "vpn"});
    let answer = client()
        .post(serving.api("/api/v1/logins"))
        .bearer_auth(&token)
        .body(format!("{stranger}\n{thief}\n{{}}\n"))
        .send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 202);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["accepted"], &answer["refused"][0]["line"]), (&json!(2), &json!(3)));
    inbox.wait("/slack", |alert| String::from_utf8_lossy(&alert.body).contains("payroll")).await;

    // One incident, with all nine in it.
    let id = one_incident_of(&site, 9).await;
    let shown = site.run(&format!("incidents show {id} --json")).await.ends(0).json();
    assert_eq!(shown["sensors"], json!(["logins", "mx", "portal"]));
    let classes: Vec<&Value> = shown["items"].as_array().unwrap().iter().map(|sighting| &sighting["class"]).collect();
    assert_eq!(classes, ["login", "mail", "login", "login", "login", "login", "login", "login", "login"]);
    assert_eq!(shown["attribution"]["stores"][0]["route"], "ghosts");
    assert_eq!(site.run(&format!("incidents ack {id} --json")).await.ends(0).json()["state"], "acknowledged");
    assert_eq!(site.run(&format!("incidents close {id} --json")).await.ends(0).json()["state"], "closed");
    signed(&inbox.wait("/hook", |alert| alert.json()["type"] == "incident.closed").await);
    site.run(&format!("incidents ack {id}")).await.complaint();
    let tested = site.run("sinks test --json").await.ends(0).json();
    assert!(tested["sinks"].as_array().unwrap().iter().all(|sink| sink["delivered"] == true), "{tested}");

    // The other store's file turns up.
    std::fs::copy(site.path("export.csv"), site.path("leak.csv")).unwrap();
    let verdict = site.run("trace leak.csv --json").await.ends(0).json();
    assert_eq!(verdict["verdict"], "attributed");
    assert_eq!((&verdict["stores"][0]["store"], &verdict["stores"][0]["accused"]), (&json!("export"), &json!(true)));
    assert_eq!(verdict["stores"][0]["distinct_canaries"], counts[0]);
    let found = site.run("scan leak.csv --json").await.ends(0).lines();
    assert!(
        found.iter().any(|finding| finding["line"].as_u64() > Some(1)) && !found[0].to_string().contains('@'),
        "{found:?}"
    );
    std::fs::write(site.path("menu.txt"), "Lundi: poireaux vinaigrette.\n").unwrap();
    assert_eq!(site.run("trace menu.txt --json").await.ends(1).json()["verdict"], "nothing_found");
    assert_eq!(site.run("scan menu.txt --json").await.ends(1).stdout, "");
    let recorded = site.run("trace leak.csv --record --json").await.ends(0).json();
    assert_eq!(recorded["verdict"], "attributed");
    assert_eq!(site.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");

    // And all is as it was.
    let withdrawn = site.run("withdraw --json").await.ends(0).json();
    assert_eq!(withdrawn["stores"][0], json!({"store": "export", "withdrawn": counts[0], "gone": 0}));
    assert_eq!(withdrawn["stores"][1]["withdrawn"], counts[1]);
    assert_eq!(std::fs::read(site.path("export.csv")).unwrap(), file_before, "byte for byte");
    assert_eq!(dump_sqlite(&site.path("payroll.db")), rows_before);
    assert!(site.canaries("export").await.iter().all(|canary| canary["state"] == "withdrawn"));
}

/// A name server of this test's own leads the mail here.
async fn everything_stands(site: &Site) {
    let exchanger = format!("{DOMAIN} MX 10 mail.{DOMAIN}");
    let names = Names::start(&[&exchanger, &format!("mail.{DOMAIN} A 127.0.0.1")]).await;
    let configured = std::fs::read_to_string(site.path("telltale.toml")).unwrap();
    site.configure(&format!("{configured}{}", names.section()));
    let check = site.run("check --json").await.ends(0).json();
    site.configure(&configured);
    assert!(check["items"].as_array().unwrap().iter().all(|item| item["state"] == "ok"), "{check}");
    assert!(check["dns"][0].as_str().unwrap().contains("MX"));
}

#[track_caller]
fn signed(alert: &Received) {
    let verifier = Verifier { secrets: vec![HmacKey::parse(SECRET).unwrap()], ..Verifier::default() };
    let (id, at, signature) =
        (alert.header("webhook-id"), alert.header("webhook-timestamp"), alert.header("webhook-signature"));
    verifier.verify(id, at, signature, &alert.body, jiff::Timestamp::now().as_second()).unwrap();
    let other = Verifier {
        secrets: vec![HmacKey::parse("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB").unwrap()],
        ..Verifier::default()
    };
    assert!(other.verify(id, at, signature, &alert.body, jiff::Timestamp::now().as_second()).is_err());
}

async fn one_incident_of(site: &Site, sightings: u64) -> String {
    let mut list = Value::Null;
    for _ in 0..100 {
        list = site.run("incidents list --json").await.ends(0).json();
        if list["items"][0]["sightings"] == sightings {
            assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
            return list["items"][0]["id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{sightings} sightings of one incident are expected: {list}");
}
