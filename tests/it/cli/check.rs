//! `telltale check`: what stands is said to stand, what is missing is named with what mends it, and what could not be
//! asked is not passed off as either.

use crate::support::{
    inbox::Inbox,
    names::Names,
    service::{Answer, Site, configuration},
};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

const LINK: &str = "https://docs.example.org";
/// What leads mail and links here.
const HERE: [&str; 3] =
    ["courriel.example.org MX 10 mx.example.org", "mx.example.org A 127.0.0.1", "docs.example.org A 127.0.0.1"];

/// What is published, what the configuration adds, how it ends; and what stands in which item.
type Case<'a> = (&'a [&'a str], &'a str, i32, &'a str, &'a str, &'a [&'a str]);

/// A site whose document links have a name, and which asks this name server.
async fn site(inbox: &Inbox, names: &Names, more: &str) -> Site {
    let site = Site::stocked(20, &inbox.address);
    let text = configuration(&inbox.address).replace("http://127.0.0.1:9", LINK);
    site.configure(&format!("{text}{}{more}", names.section()));
    site.init().await;
    site
}

/// State and detail of one thing that was looked at.
#[track_caller]
fn item(answer: &Answer, what: &str) -> (String, String) {
    let check: Value = answer.json();
    let items = check["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["what"] == what).unwrap_or_else(|| panic!("no {what} in {check}"));
    (found["state"].as_str().unwrap().to_owned(), found["detail"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_everything_stands_the_answer_is_0() {
    let (inbox, names) = (Inbox::start().await, Names::start(&HERE).await);
    let site = site(&inbox, &names, "").await;
    let answer = site.run("check --json").await.ends(0);
    assert_eq!(answer.json()["ok"], true);
    let (state, detail) = item(&answer, "dns courriel.example.org MX");
    assert_eq!(state, "ok");
    for part in ["mx.example.org", "127.0.0.1", "needs its public address", "port 25, which must lead to 127.0.0.1:0"] {
        assert!(detail.contains(part), "{part:?} is not in: {detail}");
    }
    let shown = site.run("check").await.ends(0).stdout;
    assert!(shown.lines().any(|line| line.starts_with("✓ ok ") && line.contains("api: 127.0.0.1:0")), "{shown}");

    // A running service holds its own doors, and that is as it should be. It names each of them as it starts.
    let text = fs::read_to_string(site.path("telltale.toml")).unwrap();
    let api = "[api]\nlisten = \"127.0.0.1:0\"\n";
    site.configure(&text.replacen(api, &format!("{api}ingest_listen = \"127.0.0.1:0\"\n"), 1));
    let serving = site.serve().await;
    assert_ne!(serving.address("api ingest").port(), 0);
    let answer = site.run("check --json").await.ends(0);
    for what in ["api", "api ingest", "sensor portal", "sensor mx", "sensor links"] {
        let (state, detail) = item(&answer, what);
        assert!(state == "ok" && detail.starts_with("listens on "), "{what}: {detail}");
    }
    assert!(serving.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_missing_or_leads_elsewhere_is_named() {
    let (mail, link) = ("dns courriel.example.org MX", "dns docs.example.org");
    let elsewhere = "mx.example.org A 203.0.113.5";
    let addresses = "addresses = [\"198.51.100.1\"]\n";
    let table: [Case<'_>; 9] = [
        (&HERE[1..], "", 2, mail, "error", &["no MX record", "publish"]),
        (&HERE[..2], "", 2, link, "error", &["docs.example.org", "no address", "publish"]),
        (&[HERE[0], HERE[2]], "", 2, mail, "error", &["mx.example.org", "no address"]),
        (&["courriel.example.org MX 0 .", HERE[2]], "", 2, mail, "error", &["takes no mail"]),
        (&[HERE[0], elsewhere, HERE[2]], "", 3, mail, "warn", &["203.0.113.5", "`addresses` in [dns]"]),
        (&[HERE[0], elsewhere, HERE[2]], addresses, 2, mail, "error", &["203.0.113.5", "198.51.100.1"]),
        (&[HERE[0], "mx.example.org A 198.51.100.1", HERE[2]], addresses, 0, mail, "ok", &["leads here"]),
        // A second exchanger does not save what the first one swallows; the first alone must be right.
        (
            &[
                "courriel.example.org MX 5 other.example.org",
                "other.example.org A 203.0.113.9",
                HERE[0],
                HERE[1],
                HERE[2],
            ],
            "",
            3,
            mail,
            "warn",
            &["other.example.org", "203.0.113.9"],
        ),
        (&["courriel.example.org A 127.0.0.1", HERE[2]], "", 0, mail, "ok", &["no MX record", "itself"]),
    ];
    let inbox = Inbox::start().await;
    for (zone, more, code, what, state, parts) in table {
        let names = Names::start(zone).await;
        let site = site(&inbox, &names, more).await;
        let answer = site.run("check --json").await.ends(code);
        let (found, detail) = item(&answer, what);
        assert_eq!(found, state, "{zone:?}: {detail}");
        for part in parts {
            assert!(detail.contains(part), "{part:?} is not in: {detail}");
        }
        let records = answer.json()["dns"].to_string();
        assert!(records.contains("courriel.example.org. MX 10 mail.courriel.example.org."), "{records}");
        let shown = if more.is_empty() { "public address>" } else { "docs.example.org. A 198.51.100.1" };
        assert!(records.contains(shown), "{records}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_dns_it_says_in_seconds_what_is_not_known_and_ends_with_3() {
    let inbox = Inbox::start().await;
    for (zone, why) in [("SILENCE", "in time"), ("REFUSED", "Refused")] {
        let names = Names::start(&[zone]).await;
        let site = site(&inbox, &names, "").await;
        let started = Instant::now();
        let answer = site.run("check --json").await.ends(3);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        assert_eq!(answer.json()["ok"], false);
        for what in ["dns courriel.example.org MX", "dns docs.example.org"] {
            let (state, detail) = item(&answer, what);
            assert_eq!(state, "warn", "{detail}");
            assert!(detail.contains("not known") && detail.contains("`servers` in [dns]"), "{detail}");
            assert!(detail.to_lowercase().contains(&why.to_lowercase()), "{detail}");
        }
        let shown = site.run("check").await.ends(3).stdout;
        assert!(shown.contains("2 of 11 could not be decided"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_another_program_holds_is_named() {
    let (inbox, names) = (Inbox::start().await, Names::start(&HERE).await);
    let site = site(&inbox, &names, "").await;
    let text = fs::read_to_string(site.path("telltale.toml")).unwrap();
    let held: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let at = |place: usize| held[place].local_addr().unwrap().to_string();
    let door = "listen = \"127.0.0.1:0\"\n";
    let text = text.replacen(
        &format!("[api]\n{door}"),
        &format!("[api]\nlisten = \"{}\"\ningest_listen = \"{}\"\n", at(0), at(1)),
        1,
    );
    site.configure(&text.replacen(door, &format!("listen = \"{}\"\n", at(2)), 1));
    let answer = site.run("check --json").await.ends(2);
    for (what, place) in [("api", 0), ("api ingest", 1), ("sensor portal", 2)] {
        let (state, detail) = item(&answer, what);
        assert!(state == "error" && detail.contains(&at(place)) && detail.contains("another port"), "{detail}");
    }
    assert_eq!(item(&answer, "sensor mx").0, "ok");
    assert_eq!(answer.stderr.trim_end(), "telltale: 3 of 12 checks failed: see above");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_not_be_written_is_named() {
    let (inbox, names) = (Inbox::start().await, Names::start(&HERE).await);
    let site = site(&inbox, &names, "").await;
    fs::create_dir(site.path("documents")).unwrap();
    fs::create_dir(site.path("db")).unwrap();
    fs::rename(site.path("payroll.db"), site.path("db/payroll.db")).unwrap();
    let text = fs::read_to_string(site.path("telltale.toml")).unwrap().replace("\"payroll.db\"", "\"db/payroll.db\"");
    site.configure(&format!("{text}[[stores]]\nname = \"papers\"\nkind = \"folder\"\npath = \"documents\"\n"));
    site.run("check --json").await.ends(0);
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (store, name, allowed) in [
        ("export", "export.csv", 0o644),
        ("payroll", "db/payroll.db", 0o644),
        // SQLite's own journal stands beside the database.
        ("payroll", "db", 0o755),
        ("papers", "documents", 0o755),
    ] {
        let path = site.path(name);
        mode(&path, allowed & 0o555);
        let answer = site.run("check --json").await.ends(2);
        mode(&path, allowed);
        let (state, detail) = item(&answer, &format!("store {store}"));
        assert!(state == "error" && detail.contains(name) && detail.contains("right"), "{name}: {detail}");
        assert!(!detail.starts_with("store"), "the item bears the name already: {detail}");
    }
    site.run("check --json").await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_to_be_delegated_is_asked_for() {
    let server = "[[sensors]]\nname = \"names\"\nkind = \"dns\"\nlisten = \"127.0.0.1:0\"\nzone = \"docs.example.org\"\n\
                  addresses = [\"203.0.113.5\"]\nname_server = \"ns1.example.org\"\n";
    let inbox = Inbox::start().await;
    for (answered, code, state, part) in [
        ("www.docs.example.org A 203.0.113.5", 0, "ok", "answered by its sensor"),
        ("www.docs.example.org A 203.0.113.9", 2, "error", "somebody else answers"),
        ("docs.example.org A 203.0.113.5", 2, "error", "not delegated"),
    ] {
        let names = Names::start(&[HERE[0], HERE[1], answered]).await;
        let site = site(&inbox, &names, server).await;
        let answer = site.run("check --json").await.ends(code);
        let (found, detail) = item(&answer, "dns docs.example.org NS");
        assert!(found == state && detail.contains(part), "{answered}: {found}: {detail}");
        let records = answer.json()["dns"].to_string();
        assert!(
            records.contains("docs.example.org. NS ns1.example.org.") && records.contains("ns1.example.org. A "),
            "{records}"
        );
        assert!(!records.contains("docs.example.org. A "), "its sensor answers that itself: {records}");
    }
}
