//! An incident as it is read: what its evidence tells and to whom, how far its alerts have come, and how it grows.

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration, marker},
    serving::{Serving, client},
    traffic::{log_in, write_mail},
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, time::Duration};

const THIEF: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);

/// The one incident, once it has so many sightings.
async fn grown(site: &Site, sightings: u64) -> Value {
    for _ in 0..150 {
        let list = site.run("incidents list --json").await;
        if list.code == Some(0) && list.json()["items"][0]["sightings"] == sightings {
            assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
            return list.json()["items"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no incident of {sightings} sightings");
}

async fn ask(serving: &Serving, path: &str, token: &str) -> reqwest::Response {
    client().get(serving.api(path)).bearer_auth(token).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_told_shown_to_investigators_and_every_look_is_journaled() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    // One sink is there, one is not.
    site.configure(&configuration(&inbox.address).replace(&format!("{}/hook", inbox.address), "127.0.0.1:9/hook"));
    let admin = site.init().await;
    site.run("plant payroll --count 6 --json").await.ends(0);
    let canaries = site.canaries("payroll").await;
    let (login, address) = (marker(&canaries[0], "username"), marker(&canaries[1], "work_email"));
    let (analyst, investigator) = (site.token("analyst").await, site.token("investigator").await);
    let serving = site.serve().await;
    serving.settled().await;
    let portal = serving.address("portal");
    let asked = client()
        .post(format!("http://{portal}/login?for={login}"))
        .header("user-agent", format!("Thief/1.0 ({login})\u{9b}31m"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("username={login}&password=x"));
    assert_eq!(asked.send().await.unwrap().status(), 401);
    assert_eq!(write_mail(serving.address("mx"), THIEF, &address).await.unwrap(), 250);
    let id = grown(&site, 2).await["id"].as_str().unwrap().to_owned();
    inbox.wait("/slack", |_| true).await;

    let path = format!("/api/v1/incidents/{id}");
    let thin: Value = ask(&serving, &format!("{path}/sightings"), &analyst).await.json().await.unwrap();
    assert_eq!(thin["items"][0]["details"]["request"], "POST /login?for=[marker]");
    assert_eq!(thin["items"][1]["details"]["sender"], "a@example.net");
    assert_eq!(thin["items"][1]["details"]["subject"], "Bonjour");
    assert!(thin["items"][0]["details"]["user_agent"].as_str().unwrap().starts_with("Thief/1.0 ([marker])"), "{thin}");
    assert!(!thin.to_string().contains(&login) && !thin.to_string().contains(&address), "{thin}");
    let whole: Value = ask(&serving, &format!("{path}/sightings"), &investigator).await.json().await.unwrap();
    assert_eq!(whole["items"][0]["details"]["request"], format!("POST /login?for={login}"));

    assert_eq!(ask(&serving, &format!("{path}/evidence"), &analyst).await.status(), 403);
    let received = ask(&serving, &format!("{path}/evidence"), &investigator).await.text().await.unwrap();
    let lines: Vec<Value> = received.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bytes = data_encoding::BASE64.decode(lines[0]["bytes"].as_str().unwrap().as_bytes()).unwrap();
    assert!(bytes.starts_with(format!("POST /login?for={login} HTTP/1.1\r\n").as_bytes()));
    let journal = ask(&serving, "/api/v1/journal?limit=1000", &admin).await.text().await.unwrap();
    assert_eq!(journal.matches(&format!("evidence of {id}")).count(), 1, "the analyst saw nothing");

    let text = site.run(&format!("incidents show {id}")).await.ends(0).stdout;
    for part in ["Thief/1.0", "from a@example.net", "subject Bonjour", "incidents evidence"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'), "{text:?}");
    let received = site.run(&format!("incidents evidence {id}")).await.ends(0).stdout;
    assert!(received.contains(&format!("RCPT TO:<{address}>")) && received.contains("Subject: Bonjour"), "{received}");
    assert_eq!(site.run(&format!("incidents evidence {id} --json")).await.ends(0).lines().len(), 2);
    site.run("incidents evidence i-404").await.complaint();

    let deliveries = site.run(&format!("incidents show {id} --json")).await.ends(0).json()["deliveries"].clone();
    let standing = |sink: &str| {
        let first = deliveries.as_array().unwrap().iter().find(|delivery| delivery["sink"] == sink).unwrap();
        (first["type"].clone(), first["state"].clone(), first["attempts"].as_u64().unwrap() > 0)
    };
    assert_eq!(standing("soc"), (json!("incident.opened"), json!("delivered"), true), "{deliveries}");
    assert_eq!(standing("siem"), (json!("incident.opened"), json!("pending"), true), "{deliveries}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_verdict_or_severity_is_told_and_growth_without_one_is_listed() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    site.init().await;
    site.run("plant payroll --count 30 --json").await.ends(0);
    let canaries = site.canaries("payroll").await;
    let serving = site.serve().await;
    serving.settled().await;
    let told = |kind: &'static str, severity: &'static str, verdicts: &'static [&'static str]| {
        let inbox = &inbox;
        async move {
            let fits = |told: &Value| {
                told["type"] == kind
                    && told["data"]["incident"]["severity"] == severity
                    && verdicts.iter().any(|verdict| told["data"]["attribution"]["verdict"] == *verdict)
            };
            inbox.wait("/hook", |alert| fits(&alert.json())).await
        }
    };
    // A mail, and nobody is accused; a login of another canary, which weighs more; and more of them make a verdict.
    let address = marker(&canaries[0], "work_email");
    assert_eq!(write_mail(serving.address("mx"), THIEF, &address).await.unwrap(), 250);
    told("incident.opened", "medium", &["inconclusive"]).await;
    let login = marker(&canaries[1], "username");
    assert_eq!(log_in(&client(), serving.address("portal"), THIEF, &login, "x").await.unwrap(), 401);
    told("incident.updated", "high", &["inconclusive", "attributed"]).await;
    for canary in &canaries[2..8] {
        let login = marker(canary, "username");
        assert_eq!(log_in(&client(), serving.address("portal"), THIEF, &login, "x").await.unwrap(), 401);
    }
    told("incident.updated", "high", &["attributed"]).await;
    // The file itself: worse, though the verdict stays.
    let rows: String = canaries.iter().map(|canary| marker(canary, "work_email") + ";\n").collect();
    std::fs::write(site.path("leak.csv"), rows).unwrap();
    site.run("trace leak.csv --record --json").await.ends(0);
    told("incident.updated", "critical", &["attributed"]).await;
    let before = grown(&site, 38).await;
    let alerts = inbox.at("/hook").len();
    // Ten times as much of the same: nobody is rung up for it, and the list shows it.
    for _ in 0..320 {
        assert_eq!(log_in(&client(), serving.address("portal"), THIEF, &login, "x").await.unwrap(), 401);
    }
    let after = grown(&site, 358).await;
    assert_eq!((&before["severity"], &before["id"]), (&after["severity"], &after["id"]));
    let moment = |incident: &Value| incident["updated_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(moment(&after) > moment(&before));
    assert_eq!(inbox.at("/hook").len(), alerts);
    let list = site.run("incidents list").await.ends(0).stdout;
    assert!(
        list.contains("last seen") && list.contains("358") && list.contains(after["updated_at"].as_str().unwrap()),
        "{list}"
    );
}
