//! A disk that fails beneath the ledger alone: sled does its own I/O, so a library that is preloaded into the true service
//! makes its writes, syncs and renamings fail. Nothing that was acknowledged is lost, every alert leaves, and the ledger is the journal's.

use super::full::House;
use crate::support::{
    campaign::{long, say},
    inbox::Received,
    serving::{Serving, client},
    traffic::log_in,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use telltale::{
    domain::secret::Secret,
    journal::{keyring::Keyring, log::Journal, master::MasterKey},
    ledger::state::Ledger,
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/failing.c");

/// The library, built for this run.
fn library(folder: &Path) -> PathBuf {
    let made = folder.join("failing.so");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built =
        Command::new(&compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&made).args([SOURCE, "-ldl"]).status();
    assert!(built.expect("a C compiler is there: the service needs one too").success());
    made
}

/// Reliability test T11, for sled; 60 faults with TELLTALE_LONG.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_beneath_the_ledger_loses_no_sighting_and_no_alert() {
    let faults = if long() { 60 } else { 6 };
    let house = House::new("").await;
    let folder = tempfile::tempdir().unwrap();
    let (library, switch) = (library(folder.path()), folder.path().join("switch"));
    let serve = async || {
        let mut command = house.site.command(&["serve"]);
        command.env("LD_PRELOAD", &library).env("TELLTALE_TEST_SWITCH", &switch);
        let serving = Serving::start(command).await;
        serving.settled().await;
        serving
    };
    let mut serving = serve().await;
    let (client, mut taken) = (client(), Vec::new());
    for fault in 0..faults {
        let (first, count) = (1 + fault / 6 * 2 + fault % 2, if fault % 3 == 2 { 100_000 } else { 1 });
        let errno = if fault % 2 == 0 { 5 } else { 28 };
        let beside = switch.with_extension("part");
        std::fs::write(&beside, format!("{fault} {first} {count} {errno}\n")).unwrap();
        std::fs::rename(beside, &switch).unwrap();
        for _ in 0..3 {
            let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 9, 1, 0)) + taken.len() as u32);
            let status = log_in(&client, serving.address("portal"), from, &house.login, "x").await;
            assert_eq!(status.unwrap(), 401, "fault {fault}: {:?}", serving.said());
            taken.push(from);
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        std::fs::remove_file(&switch).unwrap();
        if fault % 6 == 5 {
            serving.kill().await;
            serving = serve().await;
        }
    }
    let felt = std::fs::read_to_string(folder.path().join("switch.felt")).unwrap_or_default();
    let faults_felt: BTreeSet<&str> = felt.lines().filter_map(|line| line.split(' ').next()).collect();
    say(&format!("{} of {faults} faults were felt, {} calls failed", faults_felt.len(), felt.lines().count()));
    assert!(faults_felt.len() as u32 * 2 > faults, "most faults were felt: {felt}");
    assert_eq!(house.sources(taken.len()).await, taken, "each is a sighting once: {:?}", serving.said());
    let opened = house.inbox.wait("/hook", |received| received.json()["type"] == "incident.opened").await;
    for _ in 0..120 {
        let listed = house.site.run("deliveries list --json").await.ends(0).json();
        if listed["items"].as_array().unwrap().iter().all(|item| item["state"] == "delivered") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let listed = house.site.run("deliveries list --json").await.ends(0).json();
    let items = listed["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["alert"] == opened.header("webhook-id")), "{listed}");
    assert!(items.iter().all(|item| item["state"] == "delivered"), "{listed}");
    for (sink, path) in [("siem", "/hook"), ("soc", "/slack")] {
        let raised = items.iter().filter(|item| item["sink"] == sink).map(|item| item["alert"].as_str().unwrap());
        let raised: BTreeSet<&str> = raised.collect();
        let received = house.inbox.at(path);
        // A Slack message bears the alert's id in its text alone.
        let bears = |received: &Received, id: &str| match sink {
            "siem" => received.header("webhook-id") == id,
            _ => String::from_utf8_lossy(&received.body).split([' ', '"']).any(|word| word == id),
        };
        let lost: Vec<_> = raised.iter().filter(|id| !received.iter().any(|received| bears(received, id))).collect();
        assert!(!raised.is_empty() && lost.is_empty(), "{sink} has not got {lost:?} of {raised:?}");
    }
    assert_eq!(house.site.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");
    compared(&house.site.path("data"), &house.site.path("master.key"));
}

/// The ledger that the service left is the one that the journal makes.
fn compared(data: &Path, master: &Path) {
    let master = MasterKey::read(&Secret::new(std::fs::read_to_string(master).unwrap())).unwrap();
    let keyring = Arc::new(Keyring::open(data, &master).unwrap());
    let journal = Journal::open(data, keyring, "test.example/telltale").unwrap();
    let other = tempfile::tempdir().unwrap();
    let scratch = Ledger::open(other.path(), &journal).unwrap();
    scratch.catch_up(&journal).unwrap();
    let ledger = Ledger::open(data, &journal).unwrap();
    ledger.catch_up(&journal).unwrap();
    assert_eq!(ledger.digest().unwrap(), scratch.digest().unwrap());
}
