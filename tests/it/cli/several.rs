//! Several stores of which one is broken: the others are done and reported, the broken one is named, and the command
//! fails. A canary whose phone was edited is taken out all the same; one whose identifier was edited is left and named.

use crate::support::service::{Answer, Site, marker};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

/// Takes the first store's file away.
fn take_away(site: &Site) -> PathBuf {
    let aside = site.path("aside.csv");
    fs::rename(site.path("export.csv"), &aside).unwrap();
    aside
}

/// Which stores were done, and which failed; expects the one line that names the failed one.
#[track_caller]
fn parted(answer: Answer) -> (Value, Value) {
    let answer = answer.ends(2);
    assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("store export: "), "{}", answer.stderr);
    let document = answer.json();
    let names = |list: &str| {
        document[list].as_array().unwrap().iter().map(|one| one["store"].clone()).collect::<Vec<_>>().into()
    };
    let error = document["failed"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("store export: ") && error.contains("export.csv"), "{error}");
    (names("stores"), names("failed"))
}

#[tokio::test]
async fn a_broken_store_keeps_no_other_from_being_done() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    let (done, failed) = (Value::from(vec!["payroll"]), Value::from(vec!["export"]));

    let aside = take_away(&site);
    assert_eq!(parted(site.run("plant --count 3 --json").await), (done.clone(), failed.clone()));
    assert_eq!(site.canaries("payroll").await.len(), 3);
    assert_eq!(parted(site.run("rotate --count 2 --json").await), (done.clone(), failed.clone()));
    assert_eq!(parted(site.run("verify --json").await), (done.clone(), failed.clone()));

    let told = site.run("verify").await.ends(2);
    assert!(told.stdout.contains("payroll") && !told.stdout.contains("export"), "{}", told.stdout);
    assert!(told.stderr.starts_with("telltale: store export: "), "{}", told.stderr);

    // Once it is back, the same command does what was left, and nothing twice.
    fs::rename(&aside, site.path("export.csv")).unwrap();
    let planted = site.run("plant --count 2 --json").await.ends(0).json();
    assert!(planted.get("failed").is_none(), "{planted}");
    let now = |name: &str| {
        let stores = planted["stores"].as_array().unwrap();
        stores.iter().find(|one| one["store"] == name).unwrap()["planted"].as_u64().unwrap()
    };
    assert_eq!((now("export"), now("payroll")), (2, 0));

    let aside = take_away(&site);
    assert_eq!(parted(site.run("withdraw --json").await), (done, failed));
    fs::rename(&aside, site.path("export.csv")).unwrap();
    let withdrawn = site.run("withdraw --json").await.ends(0).json();
    let withdrawn = withdrawn["stores"].as_array().unwrap();
    assert_eq!(withdrawn.iter().map(|one| one["withdrawn"].as_u64().unwrap()).sum::<u64>(), 2, "{withdrawn:?}");
}

#[tokio::test]
async fn where_no_store_is_done_each_is_named_in_the_one_line() {
    let site = Site::stocked(20, NOBODY);
    site.init().await;
    take_away(&site);
    fs::remove_file(site.path("payroll.db")).unwrap();
    let complaint = site.run("plant --count 2").await.complaint();
    assert!(complaint.contains("store export: ") && complaint.contains("; store payroll: "), "{complaint}");
}

#[tokio::test]
async fn an_edited_phone_keeps_no_canary_from_being_withdrawn() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    site.run("plant --count 3").await.ends(0);
    for store in ["export", "payroll"] {
        let phone = marker(&site.canaries(store).await[0], "phone");
        if store == "export" {
            let text = fs::read_to_string(site.path("export.csv")).unwrap();
            assert!(text.contains(&phone), "the export shows its phones as they are registered");
            fs::write(site.path("export.csv"), text.replace(&phone, "none")).unwrap();
        } else {
            let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
            let edited = database.execute("UPDATE employees SET mobile = 'none' WHERE mobile = ?", [&phone]).unwrap();
            assert_eq!(edited, 1);
        }
    }
    let withdrawn = site.run("withdraw --json").await.ends(0).json();
    for store in withdrawn["stores"].as_array().unwrap() {
        assert_eq!((&store["withdrawn"], &store["gone"]), (&Value::from(3), &Value::from(0)), "{store}");
    }
    assert!(!fs::read_to_string(site.path("export.csv")).unwrap().contains("none"), "the row is gone");
}

#[tokio::test]
async fn an_edited_identifier_leaves_its_canary_and_no_other() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    let before = fs::read_to_string(site.path("export.csv")).unwrap();
    site.run("plant --count 3").await.ends(0);
    let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    let mut edited = Vec::new();
    for store in ["export", "payroll"] {
        let canary = site.canaries(store).await.swap_remove(0);
        let mail = marker(&canary, "work_email");
        if store == "export" {
            let text = fs::read_to_string(site.path("export.csv")).unwrap();
            fs::write(site.path("export.csv"), text.replace(&mail, "real.person@mairie.example")).unwrap();
        } else {
            let update = "UPDATE employees SET email = 'real.person@mairie.example' WHERE email = ?";
            assert_eq!(database.execute(update, [&mail]), Ok(1));
        }
        edited.push((canary["canary"].clone(), mail));
    }

    for removed in [2, 0] {
        let answer = site.run("withdraw --json").await.ends(3);
        for (store, (canary, mail)) in answer.json()["stores"].as_array().unwrap().iter().zip(&edited) {
            assert_eq!((&store["withdrawn"], &store["gone"]), (&Value::from(removed), &Value::from(0)), "{store}");
            let [left] = &store["left"].as_array().unwrap()[..] else { panic!("one is left: {store}") };
            assert_eq!((&left["canary"], &left["why"]), (canary, &Value::from("altered")));
            let [column] = &left["columns"].as_array().unwrap()[..] else { panic!("one column: {store}") };
            let hint = left["hint"].as_str().unwrap();
            let parts = [column.as_str().unwrap(), "by hand", "canaries list", "telltale withdraw"];
            assert!(parts.iter().all(|part| hint.contains(part)), "{hint}");
            assert!(!answer.stdout.contains(mail) && !answer.stdout.contains("real.person"), "{}", answer.stdout);
        }
    }
    let told = site.run("withdraw").await.ends(3).stdout;
    for (canary, _) in &edited {
        assert!(told.contains(canary.as_str().unwrap()) && told.contains("by hand"), "{told}");
    }
    assert_eq!(site.canaries("export").await.iter().filter(|canary| canary["state"] == "withdrawn").count(), 2);

    let text = fs::read_to_string(site.path("export.csv")).unwrap();
    let kept = text.split_inclusive('\n').filter(|line| !line.contains("real.person")).collect::<String>();
    assert_eq!(kept, before, "nothing else was left, and nothing else was taken");
    fs::write(site.path("export.csv"), kept).unwrap();
    database.execute("DELETE FROM employees WHERE email LIKE 'real.person%'", []).unwrap();
    let withdrawn = site.run("withdraw --json").await.ends(0).json();
    for store in withdrawn["stores"].as_array().unwrap() {
        assert!(store["gone"] == 1 && store.get("left").is_none(), "{store}");
    }
}
