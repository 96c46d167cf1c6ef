//! The case of a leak, from the true binary: report, case file, drafts, and what others find in them.

mod bundle;
mod coded;
mod drafts;
mod erase;
mod report;
mod stamp;
mod tamper;
mod witness;

use crate::support::{
    inbox::Inbox,
    service::{Site, marker},
    serving::client,
    traffic::{log_in, write_mail},
};
use serde_json::Value;
use std::{net::Ipv4Addr, time::Duration};

/// A site on which the store `export` leaked, was used, was found on a disk, and was confirmed by a person; nothing runs
/// any more. The incident's id, and the values of the markers that were seen.
pub struct Leak {
    pub site: Site,
    pub incident: String,
    pub values: Vec<String>,
    pub canaries: Vec<Value>,
    pub shown: Value,
}

/// Plants, leaks, and waits until every alert is delivered.
pub async fn leak() -> Leak {
    let inbox = Inbox::start().await;
    let site = Site::stocked(120, &inbox.address);
    site.init().await;
    site.run("plant --count 8 --json").await.ends(0);
    site.run("verify --json").await.ends(0);
    let canaries = site.canaries("export").await;
    let serving = site.serve().await;
    serving.settled().await;
    let source = Ipv4Addr::new(198, 51, 100, 7);
    let login = marker(&canaries[0], "username");
    assert_eq!(log_in(&client(), serving.address("portal"), source, &login, "Hiver2025!").await.unwrap(), 401);
    let alias = marker(&canaries[1], "work_email");
    assert_eq!(write_mail(serving.address("mx"), source, &alias).await.unwrap(), 250);
    joined(&site, 2).await;
    std::fs::copy(site.path("export.csv"), site.path("leak.csv")).unwrap();
    site.run("trace leak.csv --record --json").await.ends(0);
    let incident = joined(&site, 10).await;
    site.run(&format!("incidents ack {incident} --json")).await.ends(0);
    settled(&site).await;
    let shown = site.run(&format!("incidents show {incident} --json")).await.ends(0).json();
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");
    let values = canaries
        .iter()
        .flat_map(|canary| canary["markers"].as_array().unwrap())
        .map(|marker| marker["value"].as_str().unwrap().to_owned())
        .collect();
    Leak { site, incident, values, canaries, shown }
}

/// The one incident, once so many sightings are in it.
async fn joined(site: &Site, sightings: u64) -> String {
    for _ in 0..300 {
        let list = site.run("incidents list --json").await.json();
        if list["items"][0]["sightings"] == sightings {
            assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
            return list["items"][0]["id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{sightings} sightings of one incident are expected");
}

/// Waits until the journal has an attempt for each alert and sink, and no more comes.
async fn settled(site: &Site) {
    let (mut last, mut still) = (0, 0);
    for _ in 0..100 {
        let report = site.run("incidents list --json").await.json();
        let id = report["items"][0]["id"].as_str().unwrap().to_owned();
        let report = site.run(&format!("report {id} --json")).await.ends(0).json();
        let alerts = report["moves"].as_array().unwrap().iter().filter(|moved| !moved["alert"].is_null()).count();
        let delivered = report["deliveries"].as_array().unwrap().len();
        still = if delivered == last { still + 1 } else { 0 };
        last = delivered;
        if delivered >= 2 * alerts && still > 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the alerts are not delivered");
}

impl Leak {
    /// Exports the case file into a new folder of this name.
    pub async fn export(&self, folder: &str, more: &str) -> Value {
        let line = format!("evidence export {} -o {folder} --json{more}", self.incident);
        self.site.run(&line).await.ends(0).json()
    }

    /// One file of an exported case.
    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.site.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// One JSON file of an exported case.
    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}
