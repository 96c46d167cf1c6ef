//! Tests of the gate: the library by itself, the commands, and the verifier behind real and imitated proxies.

mod commands;
mod file;
mod nginx;
mod proxies;
mod reports;

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration, marker},
    serving::Serving,
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

/// Canaries in each of the two stores.
const COUNT: usize = 12;

/// A site of two stores, both planted, one of which keeps passwords; the inbox gets its alerts.
async fn planted() -> (Inbox, Site) {
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    let mut text = "prenom;nom;login;email;pwd\r\n".to_owned();
    for number in 0..80 {
        let _ = write!(text, "Léa;Martin;leamartin{number};lea.martin{number}@courriel.example.org;{number:032x}\r\n");
    }
    std::fs::write(site.path("export.csv"), text).unwrap();
    let columns = r#"path = "export.csv"
[stores.columns]
given_name = "prenom"
family_name = "nom"
username = "login"
work_email = "email"
password_hash = { column = "pwd", scheme = "md5" }
"#;
    site.configure(&configuration(&inbox.address).replace("path = \"export.csv\"\n", columns));
    site.init().await;
    site.run(&format!("plant --count {COUNT}")).await.ends(0);
    (inbox, site)
}

/// The filter `vpn.gate` and its key `vpn.key`.
async fn built(site: &Site) {
    let built = site.run("gate build -o vpn.gate --key-out vpn.key --json").await.ends(0).json();
    assert_eq!((&built["endpoint"], &built["key_file"]), (&"vpn".into(), &"vpn.key".into()), "{built}");
}

/// A verifier on the endpoint, which has filter, key and token, and no data folder.
async fn verifier(endpoint: &Site, report: &str, more: &[&str]) -> Serving {
    let fixed = ["gate", "serve", "vpn.gate", "--key-file", "vpn.key", "--token-file", "vpn.token"];
    let arguments = [&fixed[..], &["--listen", "127.0.0.1:0", "--report", report], more].concat();
    Serving::start(endpoint.command(&arguments)).await
}

/// A folder elsewhere with what an endpoint needs.
async fn endpoint(site: &Site) -> Site {
    built(site).await;
    let endpoint = Site { folder: tempfile::tempdir().unwrap() };
    for name in ["vpn.gate", "vpn.key"] {
        std::fs::copy(site.path(name), endpoint.path(name)).unwrap();
    }
    std::fs::write(endpoint.path("vpn.token"), site.token("ingest").await + "\n").unwrap();
    endpoint
}

/// The sightings of all incidents, once there are so many.
async fn sightings(site: &Site, count: usize) -> Vec<Value> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let mut found = Vec::new();
        let list = site.run("incidents list --json").await.json();
        for incident in list["items"].as_array().unwrap() {
            let shown = site.run(&format!("incidents show {} --json", incident["id"].as_str().unwrap())).await;
            found.extend(shown.ends(0).json()["items"].as_array().unwrap().clone());
        }
        if found.len() >= count {
            assert_eq!(found.len(), count, "{found:?}");
            return found;
        }
        assert!(Instant::now() < until, "{count} sightings are expected: {found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// User name and password of a canary.
fn login(canary: &Value) -> (String, String) {
    (marker(canary, "username"), marker(canary, "password"))
}
