//! What a reading had to leave behind is read by a later one, over a restart too, though all before it is known by then.

use crate::{
    sensors::observer::{Recorder, Watching},
    support::vendor::Vendor,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;

/// Pages of a list; what they lead to is at `/raw/`.
const FETCHED: &str = "every = '50ms'\n[list]\npath = '/list?page={page}'\nformat = 'json'\nid = '/id'\npaging = { first = 1 }\n[item]\npath = '/raw/{id}'";

async fn watch(recorder: &Arc<Recorder>, site: &Vendor, source: &str) -> (Watching, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), source).unwrap();
    let keys = format!(
        "source = 'own'\nurl = 'http://{}'\nsources_dir = '{}'\nallow_private = ['127.0.0.0/8']\n{}",
        site.address,
        folder.path().display(),
        if source.contains("{query}") { "query = '6'\ndomains = ['mail.example.org']\ntoken = 'word'" } else { "" }
    );
    (Watching::start_with(recorder.clone(), "paste", &keys).await, folder)
}

/// A page of these items.
fn page(ids: &[&str]) -> String {
    json!(ids.iter().map(|id| json!({"id": id, "text": format!("text {id}")})).collect::<Vec<_>>()).to_string()
}

fn told(recorder: &Recorder) -> Vec<String> {
    let mut told: Vec<String> = recorder.touches().iter().map(|touch| touch.service.clone()).collect();
    told.sort();
    told
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 20 s");
}

#[tokio::test]
async fn pages_behind_a_limit_are_read_later() {
    let site = Vendor::start().await;
    for number in 1..=5 {
        site.says(&format!("/list?page={number}"), page(&[&number.to_string()]));
    }
    site.says("/list", "[]");
    site.refuses("/list?page=4", 429, &[("retry-after", "600")], "");
    let (recorder, _) = Recorder::new();
    let source = FETCHED.replace("path = '/raw/{id}'", "text = '{/text}'");
    let (watching, _folder) = watch(&recorder, &site, &source).await;
    recorder.wait_for(3).await;
    until(|| recorder.positions.lock().unwrap().contains_key("paste")).await;
    drop(watching);
    // All of the first pages is known by now.
    site.says("/list?page=4", page(&["4"]));
    let _again = watch(&recorder, &site, &source).await;
    recorder.wait_for(5).await;
    assert_eq!(told(&recorder), ["own/1", "own/2", "own/3", "own/4", "own/5"]);
    // Once all was read, the first page is enough.
    let asked = || (site.asked("/list?page=1").len(), site.asked("/list?page=2").len());
    until(|| recorder.positions.lock().unwrap()["paste"]["lists"][""].get("behind").is_none()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = asked();
    until(|| asked().0 > before.0 + 2).await;
    assert_eq!(asked().1, before.1);
}

#[tokio::test]
async fn an_item_that_failed_once_is_read_later() {
    let site = Vendor::start().await;
    site.says("/list?page=1", page(&["1"]));
    site.says("/list?page=2", page(&["2", "3"]));
    site.says("/list", "[]");
    site.says("/raw/1", "one");
    site.says("/raw/2", "two");
    site.refuses("/raw/3", 500, &[], "");
    let (recorder, _) = Recorder::new();
    let (_watching, _folder) = watch(&recorder, &site, FETCHED).await;
    recorder.wait_for(2).await;
    site.says("/raw/3", "three");
    recorder.wait_for(3).await;
    assert_eq!(told(&recorder), ["own/1", "own/2", "own/3"]);
}

#[tokio::test]
async fn all_pages_are_read_of_a_list_that_has_not_the_newest_first() {
    let gitlab = Vendor::start().await;
    let found = |number: u32| {
        json!([{"data": format!("d{number}"), "path": "users.csv", "startline": number, "project_id": 6}]).to_string()
    };
    let path = "/api/v4/projects/6/search?scope=blobs&search=mail.example.org&per_page=100&page=";
    gitlab.says(&format!("{path}1"), found(1));
    gitlab.says("/api/v4/projects/6/search", "[]");
    let (recorder, _) = Recorder::new();
    let source = include_str!("../../../src/sensors/sources/gitlab_search.toml");
    let source = source.replace("pause = \"1s\"", "pause = \"10ms\"").replace("\"30m\"", "\"50ms\"");
    let (_watching, _folder) = watch(&recorder, &gitlab, &source).await;
    recorder.wait_for(1).await;
    until(|| gitlab.asked(&format!("{path}1")).len() > 3).await;
    gitlab.says(&format!("{path}2"), found(2));
    recorder.wait_for(2).await;
}

#[tokio::test]
async fn where_no_item_can_be_had_that_is_said_and_no_item_is_given_up() {
    let site = Vendor::start().await;
    site.says("/list?page=1", page(&["1", "2", "3"]));
    site.says("/list", "[]");
    site.refuses("/raw/1", 500, &[], "");
    site.refuses("/raw/2", 500, &[], "");
    site.refuses("/raw/3", 500, &[], "");
    let (recorder, _) = Recorder::new();
    let (_watching, _folder) = watch(&recorder, &site, FETCHED).await;
    until(|| recorder.refused("no_item_can_be_had") >= 6).await;
    assert_eq!(*recorder.unable.lock().unwrap(), Some("the_site_cannot_be_read"));
    assert_eq!(recorder.refused("item_given_up"), 0);
    for id in ["1", "2", "3"] {
        site.says(&format!("/raw/{id}"), id);
    }
    recorder.wait_for(3).await;
    until(|| recorder.unable.lock().unwrap().is_none()).await;
}
