//! The patrol, from the true binary: what somebody changes, removes or copies in a store raises an alert, once; what Telltale
//! itself changes, and what nobody touched, raises none; a store that cannot be read makes it blind, and that is told.

use crate::support::{
    inbox::Inbox,
    people,
    service::{Site, configuration, marker},
    serving::client,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The sightings by the patrol, oldest first.
async fn sightings(site: &Site) -> Vec<Value> {
    let incidents = site.run("incidents list --json").await.json();
    let mut found = Vec::new();
    for incident in incidents["items"].as_array().unwrap() {
        let report = site.run(&format!("report {} --json", incident["id"].as_str().unwrap())).await.ends(0).json();
        found.extend(report["sightings"].as_array().unwrap().iter().filter(|one| one["sensor"] == "patrol").cloned());
    }
    found.sort_by_key(|sighting| sighting["entry"].as_u64());
    found
}

async fn until(site: &Site, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let found = sightings(site).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("{count} sightings were expected: {:?}", sightings(site).await);
}

/// A house whose payroll has bank accounts, patrolled after each second.
async fn house(inbox: &Inbox) -> Site {
    let columns = "columns = { employee_number = \"emp_no\", given_name = \"first_name\", family_name = \"last_name\", \
                   work_email = \"email\", username = \"username\", phone = \"mobile\", city = \"city\", \
                   salary = \"salary\", iban = \"iban\" }\n";
    let site = Site::bare(&format!(
        "{}[patrol]\nevery = \"1s\"\n",
        configuration(&inbox.address).replace("table = \"employees\"\n", &format!("table = \"employees\"\n{columns}"))
    ));
    people::write_csv(&site.path("export.csv"), 0, 90);
    people::write_sqlite(&site.path("payroll.db"), 5000, 90);
    let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    database
        .execute_batch(
            "alter table employees add column iban text;
             update employees set iban = 'FR76' || substr('00000000000000000000000' || emp_no, -23);",
        )
        .unwrap();
    site.init().await;
    site.run("plant --count 8 --json").await.ends(0);
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_removed_or_copied_is_told_once() {
    let inbox = Inbox::start().await;
    let site = house(&inbox).await;
    let (paid, exported) = (site.canaries("payroll").await, site.canaries("export").await);
    let mails: Vec<String> = paid.iter().map(|canary| marker(canary, "work_email")).collect();
    let serving = site.serve().await;
    serving.settled().await;
    // Patrols that find all as it was planted say nothing, and a rise is no drift.
    tokio::time::sleep(Duration::from_secs(4)).await;
    site.run("rotate --attributes --json").await.ends(0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sightings(&site).await, Vec::<Value>::new());

    let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    let change = |what: &str, mail: &str| {
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(database.execute(&format!("update employees set {what} where email = ?1"), [mail]).unwrap(), 1);
    };
    change("city = 'Ailleurs'", &mails[0]);
    let city = until(&site, 1).await.remove(0);
    assert_eq!(
        (&city["drift"], &city["class"], &city["service"], &city["marker_kind"] == "iban"),
        (&json!({ "change": "altered", "column": "city" }), &json!("store"), &json!("payroll"), false),
        "{city}"
    );
    let incident = site.run("incidents list --json").await.json()["items"][0].clone();
    assert_eq!(
        (&incident["severity"], &incident["attribution"]["verdict"]),
        (&json!("medium"), &json!("nothing_found"))
    );
    change("iban = 'FR7600000000000000000000042'", &mails[1]);
    let iban = until(&site, 2).await.remove(1);
    assert_eq!((&iban["drift"]["column"], &iban["marker_kind"]), (&json!("iban"), &json!("iban")), "{iban}");
    let alert = inbox
        .wait("/hook", |got| String::from_utf8_lossy(&got.body).contains("somebody changed iban of it in payroll"))
        .await;
    let alert: Value = serde_json::from_slice(&alert.body).unwrap();
    assert_eq!(alert["data"]["incident"]["severity"], "critical", "{alert}");
    assert!(!alert.to_string().contains("FR76"), "no account is told");

    assert_eq!(database.execute("delete from employees where email = ?1", [&mails[2]]).unwrap(), 1);
    assert_eq!(until(&site, 3).await[2]["drift"], json!({ "change": "missing" }));
    let text = std::fs::read_to_string(site.path("export.csv")).unwrap();
    let row = text.lines().find(|line| line.contains(&marker(&exported[0], "work_email"))).unwrap();
    let cells: Vec<&str> = row.split(';').collect();
    database
        .execute(
            "insert into employees (emp_no, first_name, last_name, email, username, mobile, city, salary) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            rusqlite::params_from_iter(cells),
        )
        .unwrap();
    let copied = until(&site, 4).await.remove(3);
    assert_eq!((&copied["drift"], &copied["store"]), (&json!({ "change": "copied" }), &json!("export")), "{copied}");
    // What is still so is not told again, over a restart neither; what is changed once more is.
    tokio::time::sleep(Duration::from_secs(3)).await;
    serving.kill().await;
    let serving = site.serve().await;
    serving.settled().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(sightings(&site).await.len(), 4);
    change("city = 'Autre part'", &mails[0]);
    assert_eq!(until(&site, 5).await[4]["drift"]["column"], "city");
    // Whoever looks, it is told; and each deed raises an alert, however grave the incident is already.
    change("iban = 'FR7600000000000000000000043'", &mails[3]);
    site.run("verify payroll --json").await.ends(3);
    assert_eq!(until(&site, 6).await[5]["drift"]["column"], "iban");
    let fits = |got: &crate::support::inbox::Received| {
        String::from_utf8_lossy(&got.body).contains("changed iban of it in payroll")
    };
    for _ in 0..100 {
        if inbox.at("/hook").iter().filter(|got| fits(got)).count() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(inbox.at("/hook").iter().filter(|got| fits(got)).count() >= 2);
    // Nothing of it accuses a store.
    let incidents = site.run("incidents list --json").await.json();
    for incident in incidents["items"].as_array().unwrap() {
        assert_eq!(incident["attribution"]["verdict"], "nothing_found", "{incident}");
    }
    let found = inbox.at("/hook").iter().any(|got| String::from_utf8_lossy(&got.body).contains("system.blind"));
    assert!(!found, "it was never blind");
    serving.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_read_is_told() {
    let inbox = Inbox::start().await;
    let site = house(&inbox).await;
    let serving = site.serve().await;
    serving.settled().await;
    std::fs::rename(site.path("payroll.db"), site.path("away.db")).unwrap();
    let blind = inbox.wait("/hook", |got| String::from_utf8_lossy(&got.body).contains("patrol of payroll")).await;
    assert!(String::from_utf8_lossy(&blind.body).contains("system.blind"));
    // The other store is patrolled all the same.
    let text = std::fs::read_to_string(site.path("export.csv")).unwrap();
    let gone = marker(&site.canaries("export").await[0], "work_email");
    let kept: String = text.split_inclusive('\n').filter(|line| !line.contains(&gone)).collect();
    std::fs::write(site.path("export.csv"), kept).unwrap();
    assert_eq!(until(&site, 1).await[0]["drift"], json!({ "change": "missing" }));
    assert!(client().get(serving.api("/metrics")).send().await.is_ok());
    serving.terminate().await;
}
