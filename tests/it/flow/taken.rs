//! Canaries that were intended and could not be planted yet, and whose values a person was given meanwhile: the person
//! keeps them, and other canaries are minted. So it is with people in other stores.

use crate::support::service::{Site, marker};
use std::{
    fs::{self, File},
    process::Command,
};

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

/// Copies a file or a folder of the site.
fn copy(site: &Site, from: &str, to: &str) {
    let done = Command::new("cp").arg("-a").arg(site.path(from)).arg(site.path(to)).status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn nobody_in_another_store_shares_a_canary_s_login_or_address() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    let before = fs::read_to_string(site.path("export.csv")).unwrap();
    copy(&site, "data", "data.fresh");
    copy(&site, "payroll.db", "payroll.fresh");
    let plant = async || {
        let planted = site.run("plant payroll --count 3 --json").await.ends(0).json();
        assert_eq!(planted["stores"][0]["planted"], 3, "{planted}");
        let register = site.canaries("payroll").await;
        let of = |kind: &str| -> Vec<String> { register.iter().map(|canary| marker(canary, kind)).collect() };
        (of("work_email"), of("username"), planted["stores"][0]["notes"].to_string())
    };
    let start_anew = || {
        fs::remove_dir_all(site.path("data")).unwrap();
        copy(&site, "data.fresh", "data");
        fs::copy(site.path("payroll.fresh"), site.path("payroll.db")).unwrap();
    };
    let (mails, logins, _) = plant().await;
    start_anew();
    let (same, same_logins, notes) = plant().await;
    assert_eq!((&same, &same_logins), (&mails, &logins), "the same house mints the same");
    assert!(!notes.contains("could not be looked at"), "{notes}");

    // Two of those whom it would mint work here: one has the login, one the address, in other letters.
    start_anew();
    let persons = format!(
        "900001;Real;Person;{};realperson;06 12 99 99 98;Rennes;2000\r\n\
         900002;Other;Person;other.person@courriel.example.org;{};06 12 99 99 99;Rennes;2000\r\n",
        mails[0].to_uppercase(),
        logins[1]
    );
    fs::write(site.path("export.csv"), format!("{before}{persons}")).unwrap();
    let (others, other_logins, _) = plant().await;
    assert!(!others.contains(&mails[0]) && !other_logins.contains(&logins[1]), "{others:?} {other_logins:?}");
    assert!(others.contains(&mails[2]), "what is free is minted as before: {others:?}");

    // Who is in a store that is away cannot be known, and that is said.
    start_anew();
    fs::remove_file(site.path("export.csv")).unwrap();
    let (blind, _, notes) = plant().await;
    assert_eq!(blind, mails);
    assert!(notes.contains("who is in export could not be looked at"), "{notes}");
}
