//! A store that feeds another: what the verdict says before somebody looked whether the canaries came along, and after.

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration, marker},
    serving::client,
    traffic::{log_in, write_mail},
};
use std::net::Ipv4Addr;

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_tells_a_store_from_the_one_that_it_feeds() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(400, &inbox.address);
    let fed = "name = \"payroll\"\nkind = \"sqlite\"\nfeeds = [\"export\"]\n";
    site.configure(&configuration(&inbox.address).replace("name = \"payroll\"\nkind = \"sqlite\"\n", fed));
    site.init().await;
    site.run("plant --json").await.ends(0);
    let serving = site.serve().await;
    serving.settled().await;
    let source = Ipv4Addr::new(198, 51, 100, 9);
    for canary in &site.canaries("payroll").await[..8] {
        assert_eq!(
            log_in(&client(), serving.address("portal"), source, &marker(canary, "username"), "x").await.unwrap(),
            401
        );
        assert_eq!(write_mail(serving.address("mx"), source, &marker(canary, "work_email")).await.unwrap(), 250);
    }
    inbox.wait("/hook", |alert| alert.json()["data"]["attribution"]["stores"][0]["store"] == "payroll").await;

    // Nobody looked yet: the feed may have brought them all.
    let undecided = loop {
        let told = site.run("incidents list --json").await.ends(0).json();
        if told["items"][0]["sightings"] == 16 {
            break told["items"][0].clone();
        }
    };
    assert_eq!(undecided["attribution"]["verdict"], "inconclusive", "{undecided}");
    let why = undecided["attribution"]["why_not"].to_string();
    assert!(why.contains("`telltale verify export`"), "what would help is said: {why}");

    // One look, and the open incident is told anew, without another sighting.
    site.run("verify --json").await.ends(0);
    let decided = inbox
        .wait("/hook", |alert| {
            let told = alert.json();
            told["type"] == "incident.updated" && told["data"]["attribution"]["verdict"] == "attributed"
        })
        .await
        .json();
    assert_eq!(decided["data"]["attribution"]["stores"][0]["store"], "payroll");
    let shown = site.run("incidents list --json").await.ends(0).json();
    assert_eq!(shown["items"].as_array().unwrap().len(), 1);
    assert_eq!(shown["items"][0]["attribution"]["stores"][0]["accused"], true, "{shown}");

    // The case stands without either sensor, and not without the canaries that this test looked at, nor its one source.
    let id = shown["items"][0]["id"].as_str().unwrap();
    let shown = site.run(&format!("incidents show {id} --json")).await.ends(0).json();
    let stays: Vec<(&str, bool)> = shown["rests_on"]
        .as_array()
        .unwrap()
        .iter()
        .map(|without| (without["without"]["kind"].as_str().unwrap(), without["accused"].as_bool().unwrap()))
        .collect();
    assert_eq!(stays, [("sensor", true), ("sensor", true), ("reporter", false), ("revealed", false)], "{shown}");
    assert_eq!(shown["reveals"][0]["stores"], serde_json::json!(["payroll"]));
    let told = site.run(&format!("incidents show {id}")).await.ends(0).stdout;
    assert!(told.contains("without sensor mx: still accused"), "{told}");
    assert!(told.contains("looked at once before the incident opened"), "{told}");

    // A look that changes nothing tells nobody anything.
    let before = inbox.at("/hook").len();
    site.run("verify --json").await.ends(0);
    assert_eq!(inbox.at("/hook").len(), before);
    assert!(serving.terminate().await.0.success());
}
