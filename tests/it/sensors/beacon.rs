//! The server of document links, over real HTTP.

use crate::sensors::observer::{Watching, build, presented};
use std::sync::atomic::Ordering::SeqCst;
use telltale::domain::sighting::Class;

#[tokio::test]
async fn an_opened_link_is_reported() {
    let beacon = Watching::start("beacon", "listen = '127.0.0.1:0'").await;
    let answer = reqwest::get(beacon.url("/rh/k3m9x2p7q4/bulletin.pdf?x=1")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let touches = beacon.recorder.touches();
    assert_eq!(touches.len(), 1);
    assert_eq!(touches[0].class, Class::Document);
    let link = |value: &str| ("document_link".to_owned(), value.to_owned());
    assert_eq!(presented(&touches[0]), [link("bulletin.pdf"), link("bulletin"), link("k3m9x2p7q4")]);
    assert!(String::from_utf8_lossy(&touches[0].evidence).starts_with("GET /rh/k3m9x2p7q4/bulletin.pdf?x=1"));
}

#[tokio::test]
async fn every_link_is_answered_alike() {
    let beacon = Watching::start("beacon", "listen = '127.0.0.1:0'").await;
    let client = reqwest::Client::new();
    let fetch = async |path: &str| {
        let answer = client.get(beacon.url(path)).send().await.expect("an answer");
        let mut headers = answer.headers().clone();
        headers.remove("date");
        (answer.status(), format!("{headers:?}"), answer.bytes().await.expect("a body"))
    };
    let page = fetch("/k3m9x2p7q4").await;
    assert_eq!(page, fetch("/zzzzzzzzzz").await);
    let pixel = fetch("/k3m9x2p7q4/logo.gif").await;
    assert!(pixel.1.contains("image/gif") && pixel.2.starts_with(b"GIF89a"));
    assert_eq!(pixel, fetch("/zzzzzzzzzz/logo.png").await);
    beacon.recorder.failing.store(true, SeqCst);
    assert_eq!(page, fetch("/k3m9x2p7q4").await);
    assert_eq!(beacon.recorder.refused("not_durable"), 1);
    assert_eq!(client.head(beacon.url("/k3m9x2p7q4")).send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn it_tells_its_public_address() {
    let beacon = build("beacon", "listen = '127.0.0.1:0'\npublic_url = 'https://docs.example.org/'");
    assert_eq!(beacon.public_url().as_deref(), Some("https://docs.example.org"));
}

#[tokio::test]
async fn a_link_by_its_host_is_reported_like_one_by_its_path() {
    let beacon = Watching::start("beacon", "listen = '127.0.0.1:0'").await;
    let answer = reqwest::Client::new().get(beacon.url("/rh/")).header("host", "K3m9x2p7q4.docs.example.org:8443");
    assert_eq!(answer.send().await.expect("an answer").status(), 200);
    assert_eq!(presented(&beacon.recorder.touches()[0]), [("document_link".to_owned(), "K3m9x2p7q4".to_owned())]);
}

#[tokio::test]
async fn what_fetches_by_itself_is_classed_and_answered_as_any_reader() {
    let keys = "listen = '127.0.0.1:0'\nown_networks = ['10.0.0.0/8']\ntrusted_proxies = ['127.0.0.0/8']";
    let beacon = Watching::start("beacon", keys).await;
    let client = reqwest::Client::new();
    let mut pages = Vec::new();
    for (agent, from, class, service) in [
        ("Mozilla/5.0 Firefox/143.0", "203.0.113.9", Class::Document, "beacon"),
        (
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "203.0.113.9",
            Class::Preview,
            "beacon, by a preview in Slack",
        ),
        ("Mozilla/5.0 Firefox/143.0", "10.20.30.40", Class::Preview, "beacon, from a network of the house"),
    ] {
        let asked = client.get(beacon.url("/k3m9x2p7q4")).header("user-agent", agent).header("x-forwarded-for", from);
        pages.push(asked.send().await.expect("an answer").bytes().await.expect("a body"));
        let touch = beacon.recorder.touches().pop().expect("a touch");
        assert_eq!((touch.class, touch.service.as_str()), (class, service));
        assert_eq!(presented(&touch), [("document_link".to_owned(), "k3m9x2p7q4".to_owned())]);
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
}

#[tokio::test]
async fn the_name_that_was_asked_for_is_known_behind_a_proxy_that_replaces_it() {
    let asked = |beacon: &Watching| {
        let asked = reqwest::Client::new().get(beacon.url("/rh/")).header("host", "backend:8080");
        asked.header("x-forwarded-host", "K3m9x2p7q4.docs.example.org:8443").send()
    };
    for (proxies, values) in [("127.0.0.0/8", &["K3m9x2p7q4"][..]), ("10.0.0.0/8", &[])] {
        let keys = format!("listen = '127.0.0.1:0'\ntrusted_proxies = ['{proxies}']");
        let beacon = Watching::start("beacon", &keys).await;
        assert_eq!(asked(&beacon).await.expect("an answer").status(), 200);
        let link = |value: &&str| ("document_link".to_owned(), (*value).to_owned());
        let expected: Vec<_> = values.iter().map(link).collect();
        assert_eq!(presented(&beacon.recorder.touches()[0]), expected, "{proxies}");
    }
}
