//! `telltale gate build` and `check`, by the true binary.

use super::{COUNT, built, planted};
use crate::support::{
    service::{Site, marker},
    serving::client,
};
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt as _, process::Stdio};
use tokio::io::AsyncWriteExt as _;

/// `gate check` in this folder, with these lines on standard input.
async fn check(site: &Site, more: &[&str], input: &str) -> (String, String, i32) {
    let mut command = site.command(&[&["gate", "check", "vpn.gate"], more].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut to = running.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = tokio::spawn(async move { to.write_all(input.as_bytes()).await });
    let output = running.wait_with_output().await.unwrap();
    let _ = writing.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_knows_every_canary_and_no_employee() {
    let (_inbox, site) = planted().await;
    built(&site).await;
    for name in ["vpn.gate", "vpn.key"] {
        assert_eq!(site.path(name).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let elsewhere = Site { folder: tempfile::tempdir().unwrap() };
    for name in ["vpn.gate", "vpn.key"] {
        std::fs::copy(site.path(name), elsewhere.path(name)).unwrap();
    }
    let mut canaries = Vec::new();
    for store in ["export", "payroll"] {
        let of = site.canaries(store).await;
        assert_eq!(of.len(), COUNT);
        canaries.extend(of.iter().flat_map(|canary| [marker(canary, "username"), marker(canary, "work_email")]));
    }
    let people = std::fs::read_to_string(site.path("export.csv")).unwrap();
    let mut strangers = Vec::new();
    for row in people.lines().skip(1).map(|line| line.split(';').collect::<Vec<_>>()) {
        strangers.extend([row[2], row[3]].into_iter().filter(|name| !canaries.iter().any(|canary| canary == name)));
    }
    assert!(strangers.len() >= 160);
    let input = |names: &[&str]| names.iter().map(|name| format!("{name}\n")).collect::<String>();
    let known: Vec<&str> = canaries.iter().map(String::as_str).collect();

    let key = ["--key-file", "vpn.key"];
    let (found, errors, code) = check(&elsewhere, &key, &input(&known)).await;
    assert_eq!((found, errors.as_str(), code), (input(&known), "", 0), "each of them, as it was given");
    assert_eq!(check(&elsewhere, &key, &input(&strangers)).await, (String::new(), String::new(), 1));
    assert_eq!(check(&elsewhere, &key, "").await.2, 1);
    let mixed = format!("{}\r\n\u{fffd}\n\nACME\\{}", strangers[0], known[1].to_uppercase());
    let (found, _, code) = check(&elsewhere, &[&key[..], &["--json"]].concat(), &mixed).await;
    let line: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((code, &line["line"]), (0, &4.into()), "{line}");
    assert_eq!(line["username"], format!("ACME\\{}", known[1].to_uppercase()));

    // Beside the data folder the keyring gives the key; elsewhere, without a key, nothing is answered.
    assert_eq!(check(&site, &[], &input(&known)).await.2, 0);
    let (answer, why, code) = check(&elsewhere, &[], &input(&known)).await;
    assert!(code == 2 && answer.is_empty() && why.contains("--key-file") && why.lines().count() == 1, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_each_endpoints_own_and_are_written_once() {
    let (_inbox, site) = planted().await;
    built(&site).await;
    let key = std::fs::read_to_string(site.path("vpn.key")).unwrap();
    site.run("gate build -o mail.gate --key-out mail.key").await.ends(0);
    let other = std::fs::read_to_string(site.path("mail.key")).unwrap();
    assert_ne!(key, other);
    // The same endpoint again, under another file's name: the same key, which is left as it is.
    site.run("gate build -o new.gate --endpoint vpn --key-out vpn.key").await.ends(0);
    assert_eq!(std::fs::read_to_string(site.path("vpn.key")).unwrap(), key);
    assert_eq!(
        std::fs::read(site.path("new.gate")).unwrap().len(),
        std::fs::read(site.path("vpn.gate")).unwrap().len()
    );
    let why = site.run("gate build -o vpn.gate --key-out mail.key").await.complaint();
    assert!(why.contains("holds another key"), "{why}");
    assert_eq!(std::fs::read_to_string(site.path("mail.key")).unwrap(), other);

    let (answer, why, code) = check(&site, &["--key-file", "mail.key"], "nobody\n").await;
    assert!(code == 2 && answer.is_empty() && why.contains("not the one of this filter"), "{why}");
    let (_, why, code) = check(&site, &["--key-file", "export.csv"], "nobody\n").await;
    assert!(code == 2 && why.contains("export.csv holds no key of a gate"), "{why}");
    let whole = std::fs::read(site.path("vpn.gate")).unwrap();
    std::fs::write(site.path("vpn.gate"), &whole[..whole.len() - 7]).unwrap();
    let (_, why, code) = check(&site, &["--key-file", "vpn.key"], "nobody\n").await;
    assert!(code == 2 && why.contains("cut off") && why.lines().count() == 1, "{why}");

    let why = site.run("gate build -o .gate/ --endpoint a/b").await.complaint();
    assert!(why.contains("1 to 64 letters"), "{why}");
    // Who built what is in the journal, which bears no name and no key.
    let admin = site.token("admin").await;
    let serving = site.serve().await;
    let asked = client().get(serving.api("/api/v1/journal?limit=1000")).bearer_auth(admin);
    let journal = asked.send().await.unwrap().text().await.unwrap();
    assert!(journal.contains("gate_built") && journal.contains("vpn"), "{journal}");
    assert!(!journal.contains(key.trim()));
}
