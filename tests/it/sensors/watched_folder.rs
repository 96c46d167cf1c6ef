//! What analysts collect in a folder: each file that is new is traced once, over kills and moves; what holds no canary leaves
//! nothing.

use crate::{
    sensors::observer::{Recorder, Watching},
    support::{
        inbox::Inbox,
        service::{Site, configured},
    },
};
use serde_json::Value;
use std::{fs, io::Write as _, os::unix::fs::symlink, path::Path, time::Duration};

/// Waits for this.
pub async fn until(condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 20 s");
}

/// The files that were taken.
pub fn names(recorder: &Recorder) -> Vec<String> {
    let mut names: Vec<String> = recorder.taken.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}

/// As one that lies there for a while.
fn lay(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(60);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[tokio::test]
async fn each_file_of_a_folder_is_taken_once_and_no_link_is_followed() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    lay(&at("a.csv"), b"first");
    lay(&at("case 7/b.csv"), b"second");
    lay(&at(".hidden"), b"x");
    lay(&outside.path().join("secret"), b"x");
    symlink(outside.path().join("secret"), at("link")).unwrap();
    symlink(outside.path(), at("linked")).unwrap();
    symlink(folder.path(), at("circle")).unwrap();
    let keys = format!("path = '{}'\nevery = '100ms'", folder.path().display());
    let (recorder, _) = Recorder::new();
    let watching = Watching::start_with(recorder.clone(), "watched_folder", &keys).await;
    until(|| names(&recorder).len() >= 2).await;
    // One that is still being written is left alone until it is whole.
    let mut growing = fs::File::create(at("growing.csv")).unwrap();
    for _ in 0..8 {
        growing.write_all(b"more;").unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(names(&recorder), ["a.csv", "case 7/b.csv"]);
    until(|| names(&recorder).len() >= 3).await;
    assert_eq!(recorder.taken.lock().unwrap()[2].1, "more;".repeat(8).as_bytes());
    let remembered = || recorder.positions.lock().unwrap()["watched_folder"].to_string();
    assert!(!remembered().contains("csv"), "no name is remembered: {}", remembered());
    // Moved, it is the same; changed, it is another.
    drop(watching);
    fs::rename(at("a.csv"), at("case 7/done.csv")).unwrap();
    lay(&at("case 7/b.csv"), b"second, changed");
    let _again = Watching::start_with(recorder.clone(), "watched_folder", &keys).await;
    until(|| names(&recorder).len() >= 4).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(names(&recorder), ["a.csv", "case 7/b.csv", "case 7/b.csv", "growing.csv"]);
    // What is not there cannot be told from what is forgotten: that is said.
    fs::rename(folder.path(), outside.path().join("away")).unwrap();
    until(|| *recorder.unable.lock().unwrap() == Some("the_folder_cannot_be_read")).await;
    fs::rename(outside.path().join("away"), folder.path()).unwrap();
    until(|| recorder.unable.lock().unwrap().is_none()).await;
    assert_eq!(names(&recorder).len(), 4);
}

#[tokio::test]
async fn a_file_from_the_future_is_whole_first_and_one_that_was_away_is_not_taken_again() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    lay(&at("a.csv"), b"first");
    let keys = format!("path = '{}'\nevery = '100ms'", folder.path().display());
    let (recorder, _) = Recorder::new();
    let _watching = Watching::start_with(recorder.clone(), "watched_folder", &keys).await;
    until(|| names(&recorder).len() == 1).await;
    fs::rename(at("a.csv"), outside.path().join("a.csv")).unwrap();
    let mut growing = fs::File::create(at("growing.csv")).unwrap();
    for _ in 0..8 {
        growing.write_all(b"more;").unwrap();
        growing.set_modified(std::time::SystemTime::now() + Duration::from_secs(3600)).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    fs::rename(outside.path().join("a.csv"), at("a.csv")).unwrap();
    until(|| names(&recorder).len() > 1).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(names(&recorder), ["a.csv", "growing.csv"]);
    assert_eq!(recorder.taken.lock().unwrap()[1].1, "more;".repeat(8).as_bytes());
}

#[tokio::test]
async fn a_file_that_was_not_durable_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, _) = Recorder::new();
    let keys = format!("path = '{}'\nevery = '100ms'", folder.path().display());
    let _watching = Watching::start_with(recorder.clone(), "watched_folder", &keys).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    recorder.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    lay(&folder.path().join("a.csv"), b"first");
    until(|| recorder.refused("not_durable") > 0).await;
    recorder.failing.store(false, std::sync::atomic::Ordering::SeqCst);
    until(|| names(&recorder) == ["a.csv"]).await;
}

/// Sightings by sensor and file, and the sizes of the evidence.
async fn sightings(site: &Site) -> Vec<(String, String)> {
    let incidents = site.run("incidents list --json").await.json();
    let mut found = Vec::new();
    for incident in incidents["items"].as_array().unwrap() {
        let report = site.run(&format!("report {} --json", incident["id"].as_str().unwrap())).await.ends(0).json();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        found.extend(
            report["sightings"].as_array().unwrap().iter().map(|one| (text(one, "sensor"), text(one, "service"))),
        );
    }
    found.sort();
    found
}

async fn wait_for(site: &Site, count: usize) -> Vec<(String, String)> {
    for _ in 0..80 {
        let found = sightings(site).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("{count} sightings are expected: {:?}", sightings(site).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_in_the_folder_opens_an_incident_once() {
    let inbox = Inbox::start().await;
    let sensor =
        "[[sensors]]\nname = \"analysts\"\nkind = \"watched_folder\"\npath = \"collected\"\nevery = \"200ms\"\n";
    let site = Site::stocked(60, &inbox.address);
    site.configure(&configured(&inbox.address, sensor));
    fs::create_dir(site.path("collected")).unwrap();
    site.init().await;
    site.run("plant --count 5 --json").await.ends(0);
    let dump = fs::read(site.path("export.csv")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&dump).unwrap();
    let packed = packed.finish().unwrap();
    lay(&site.path("collected/market/dump.csv.gz"), &packed);
    lay(&site.path("collected/strangers.csv"), b"nobody;nobody@example.com\n");
    let serving = site.serve().await;
    serving.settled().await;
    let found = wait_for(&site, 5).await;
    assert_eq!(found, vec![("analysts".to_owned(), "market/dump.csv.gz".to_owned()); 5]);
    let kept: Vec<_> = fs::read_dir(site.path("data/evidence")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(kept.len(), 1, "the dump is kept, and nothing of strangers");
    assert!(kept[0].metadata().unwrap().len() as usize > packed.len(), "whole, and sealed");
    let journal = site.run("evidence verify --json").await.ends(0);
    assert!(!journal.stdout.contains("strangers.csv"));
    // Killed, and moved meanwhile: it is not told again. Another copy is.
    serving.kill().await;
    fs::rename(site.path("collected/market/dump.csv.gz"), site.path("collected/dump.csv.gz")).unwrap();
    lay(&site.path("collected/second.csv"), &dump);
    let serving = site.serve().await;
    serving.settled().await;
    let found = wait_for(&site, 10).await;
    assert_eq!(found.iter().filter(|(_, name)| name == "second.csv").count(), 5);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(sightings(&site).await.len(), 10);
    serving.terminate().await;
}
