//! Canaries that were intended and could not be planted yet, and whose values a person was given meanwhile: the person
//! keeps them, and other canaries are minted.

use crate::support::service::{Site, marker};
use std::fs::{self, File};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

#[tokio::test]
async fn values_that_a_person_was_given_meanwhile_are_the_persons() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    let path = site.path("export.csv");
    let before = fs::read_to_string(&path).unwrap();
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    let complaint = site.run("plant export --count 3").await.complaint();
    assert!(complaint.contains("lock"), "{complaint}");
    let planned = site.canaries("export").await;
    assert!(planned.len() == 3 && planned.iter().all(|canary| canary["state"] == "planned"), "{planned:?}");

    let (mail, login) = (marker(&planned[0], "work_email"), marker(&planned[1], "username"));
    let persons = format!(
        "900001;Real;Person;{mail};realperson;06 12 99 99 98;Rennes;2000\r\n\
         900002;Other;Person;other.person@courriel.example.org;{login};06 12 99 99 99;Rennes;2000\r\n"
    );
    fs::write(&path, format!("{before}{persons}")).unwrap();
    held.unlock().unwrap();
    let planted = site.run("plant export --count 3 --json").await.ends(0).json();
    assert_eq!((&planted["stores"][0]["planted"], &planted["stores"][0]["live"]), (&3.into(), &3.into()));

    let register = site.canaries("export").await;
    let ids: Vec<_> = register.iter().map(|canary| &canary["canary"]).collect();
    assert!(!ids.contains(&&planned[0]["canary"]) && !ids.contains(&&planned[1]["canary"]), "{ids:?}");
    assert!(ids.contains(&&planned[2]["canary"]), "what is free is planted as it was intended");
    for canary in &register {
        assert!(marker(canary, "work_email") != mail && marker(canary, "username") != login, "{canary}");
    }
    site.run("verify").await.ends(0);
    site.run("withdraw").await.ends(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{before}{persons}"), "both persons stand as they stood");
}
