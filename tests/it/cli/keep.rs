//! What must be kept is kept: backups, keys, tokens, and a service that stops when it is told to.

use crate::support::{
    inbox::Inbox,
    service::Site,
    serving::{Serving, client},
    traffic::log_in,
};
use serde_json::{Value, json};
use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, time::Duration};

async fn planted() -> (Inbox, Site) {
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    site.init().await;
    site.run("plant --count 9 --json").await.ends(0).json();
    (inbox, site)
}

async fn register(site: &Site) -> Vec<Value> {
    site.run("canaries list --reveal --json").await.ends(0).lines()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_serve_is_restored_on_an_empty_machine() {
    let (_inbox, site) = planted().await;
    let serving = site.serve().await;
    serving.settled().await;
    let known = register(&site).await;
    assert_eq!(known.len(), 18);
    let login = crate::support::service::marker(&known[0], "username");
    let from = Ipv4Addr::new(198, 51, 100, 1);
    assert_eq!(log_in(&client(), serving.address("portal"), from, &login, "x").await.unwrap(), 401);
    let made = site.run("backup all.backup --json").await.ends(0).json();
    let written = fs::metadata(site.path("all.backup")).unwrap();
    assert_eq!((&made["bytes"], written.permissions().mode() & 0o777), (&json!(written.len()), 0o600));
    let complaint = site.run("backup all.backup").await.complaint();
    assert!(complaint.contains("overwrites nothing"), "{complaint}");
    let complaint = site.run("backup data/all.backup").await.complaint();
    assert!(complaint.contains("elsewhere") && !site.path("data/all.backup").exists(), "{complaint}");
    let master = fs::read_to_string(site.path("master.key")).unwrap();
    let backup = fs::read(site.path("all.backup")).unwrap();
    let holds = |needle: &[u8]| backup.windows(needle.len()).any(|window| window == needle);
    assert!(
        !holds(master.trim().as_bytes()) && !holds(login.as_bytes()),
        "neither the master key nor a marker is in it"
    );
    assert!(
        !fs::read_dir(site.path("data")).unwrap().any(|entry| entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp"))
    );

    let other = Site::bare(&fs::read_to_string(site.path("telltale.toml")).unwrap());
    for name in ["master.key", "all.backup", "export.csv", "payroll.db"] {
        fs::copy(site.path(name), other.path(name)).unwrap();
    }
    let restored = other.run("restore all.backup --json").await.ends(0).json();
    assert!(restored["entries"].as_u64() > Some(18));
    assert_eq!(register(&other).await, known);
    assert_eq!(other.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
    other.run("verify --json").await.ends(0).json();
    let complaint = other.run("restore all.backup").await.complaint();
    assert!(complaint.contains("data"), "a data folder is never overwritten: {complaint}");

    let cut = Site::bare(&fs::read_to_string(site.path("telltale.toml")).unwrap());
    fs::copy(site.path("master.key"), cut.path("master.key")).unwrap();
    fs::write(cut.path("half.backup"), &backup[..backup.len() / 2]).unwrap();
    cut.run("restore half.backup").await.complaint();
    assert!(!cut.path("data").exists(), "half a backup makes no data folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_only_the_new_key_opens() {
    let (_inbox, site) = planted().await;
    let (known, old) = (register(&site).await, fs::read(site.path("master.key")).unwrap());
    site.run("backup before.backup").await.ends(0);
    let rotated = site.run("keys rotate --json").await.ends(0).json();
    assert_eq!(rotated["rotated"], true);
    let former = site.path(rotated["former"].as_str().unwrap());
    assert_eq!(fs::read(&former).unwrap(), old);
    assert_eq!(fs::metadata(&former).unwrap().permissions().mode() & 0o777, 0o600);
    let other = Site::bare(&fs::read_to_string(site.path("telltale.toml")).unwrap());
    fs::copy(&former, other.path("master.key")).unwrap();
    fs::copy(site.path("before.backup"), other.path("before.backup")).unwrap();
    other.run("restore before.backup").await.ends(0);
    let new = fs::read(site.path("master.key")).unwrap();
    assert_ne!(new, old);
    assert!(!site.path("master.key.new").exists());
    assert_eq!(fs::metadata(site.path("master.key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(register(&site).await, known);
    fs::write(site.path("master.key"), &old).unwrap();
    let complaint = site.run("verify").await.complaint();
    assert!(complaint.contains("master key"), "{complaint}");
    fs::write(site.path("master.key"), &new).unwrap();

    // Under `serve` too, and what is planted after it opens after a restart.
    let serving = site.serve().await;
    site.run("keys rotate --json").await.ends(0).json();
    site.run("plant --count 11 --json").await.ends(0).json();
    serving.kill().await;
    assert_eq!(register(&site).await.len(), 22);
    site.run("verify --json").await.ends(0).json();
    assert_eq!(site.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_until_it_is_revoked() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    let admin = site.init().await;
    let made = site.run("tokens create --role analyst --json").await.ends(0).json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let serving = site.serve().await;
    let status = async |token: &str| {
        client().get(serving.api("/api/v1/incidents")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(token).await, status(&admin).await, status("tt_other").await), (200, 200, 401));
    let list = site.run("tokens list --json").await.ends(0);
    assert!(!list.stdout.contains(token) && !list.stdout.contains(&admin), "a token is shown once");
    let items = list.json()["items"].clone();
    let roles: Vec<&Value> = items.as_array().unwrap().iter().map(|item| &item["role"]).collect();
    assert_eq!(roles.len(), 2);
    assert!(roles.contains(&&json!("admin")) && roles.contains(&&json!("analyst")), "{roles:?}");
    assert_eq!(site.run(&format!("tokens revoke {id} --json")).await.ends(0).json(), json!({"revoked": id}));
    assert_eq!((status(token).await, status(&admin).await), (401, 200));
    site.run(&format!("tokens revoke {id}")).await.complaint();
    let said = serving.terminate().await.1.join("\n");
    assert!(!said.contains("tt_"), "no token is ever logged: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_at_once_take_turns() {
    let (_inbox, site) = planted().await;
    let (one, other, third) = tokio::join!(
        site.run("plant export --count 12 --json"),
        site.run("plant payroll --count 13 --json"),
        site.run("canaries list --json")
    );
    let (one, other) = (one.ends(0).json(), other.ends(0).json());
    assert_eq!((&one["stores"][0]["live"], &other["stores"][0]["live"]), (&json!(12), &json!(13)));
    assert!(third.ends(0).lines().len() >= 18);
    let verified = site.run("verify --json").await.ends(0).json();
    assert_eq!((&verified["stores"][0]["planted"], &verified["stores"][1]["planted"]), (&json!(12), &json!(13)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_waits_for_the_one_that_it_replaces() {
    let (_inbox, site) = planted().await;
    let old = site.serve().await;
    let new = tokio::spawn(Serving::start(site.command(&["serve"])));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!new.is_finished(), "the folder is taken");
    assert!(old.terminate().await.0.success());
    let new = new.await.unwrap();
    assert!(new.said().iter().any(|line| line.starts_with("waiting")), "{:?}", new.said());
    assert!(new.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_cannot_be_made_is_not_waited_for() {
    let (_inbox, site) = planted().await;
    let lock = site.path("data/lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    for command in ["serve", "canaries list"] {
        let complaint = site.run(command).await.complaint();
        assert!(complaint.contains("cannot lock the data folder"), "{command}: {complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_stops_cleanly_when_it_is_told_to() {
    let (_inbox, site) = planted().await;
    let serving = site.serve().await;
    let second = site.run("serve").await.ends(2).stderr;
    let (waits, fails) = second.trim_end().split_once('\n').unwrap_or_else(|| panic!("two lines: {second}"));
    let holder = format!("process {}", serving.pid());
    assert!(waits.starts_with("waiting") && waits.contains(&holder), "it says for whom it waits: {waits}");
    assert!(fails.contains("data") && fails.contains(&holder), "one service a data folder: {fails}");
    let portal = serving.address("portal");
    // An open connection holds it up no longer than it must.
    let _open = tokio::net::TcpStream::connect(portal).await.unwrap();
    let (status, said) = serving.terminate().await;
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert!(tokio::net::TcpStream::connect(portal).await.is_err());
    assert!(!site.path("data/telltale.sock").exists());
    assert_eq!(register(&site).await.len(), 18);
}
