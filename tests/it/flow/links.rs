//! From a planted document to an incident, by its link's host alone; and what a program that fetches links by itself counts for.

use crate::{
    stores::rows::peer,
    support::{
        inbox::Inbox,
        service::{Site, configuration, marker},
        serving::client,
    },
};
use hickory_resolver::proto::{
    op::{Message, Query},
    rr::{Name, RecordType},
};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, process::Command};

/// A site with a folder of documents, and a sensor that answers for the name which their links stand under.
async fn site(inbox: &Inbox) -> Site {
    let text = configuration(&inbox.address).replace("http://127.0.0.1:9", "https://docs.example.org");
    let site = Site::bare(&format!(
        "{text}[[stores]]\nname = \"papers\"\nkind = \"folder\"\npath = \"papers\"\n\
         [[sensors]]\nname = \"names\"\nkind = \"dns\"\nlisten = \"127.0.0.1:0\"\nzone = \"docs.example.org\"\n\
         addresses = [\"127.0.0.1\"]\n"
    ));
    fs::create_dir(site.path("papers")).unwrap();
    site.init().await;
    site
}

/// The links that stand in the planted documents.
fn planted(site: &Site) -> Vec<String> {
    let files = fs::read_dir(site.path("papers")).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let link = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (_, link) = text.split_once("/URI (")?;
        Some(link.split_once(')')?.0.to_owned())
    };
    files.filter_map(link).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_looks_the_host_of_a_documents_link_up_is_seen() {
    let inbox = Inbox::start().await;
    let site = site(&inbox).await;
    site.run("plant papers --count 6 --json").await.ends(0);
    let (links, register) = (planted(&site), site.canaries("papers").await);
    assert!(links.len() >= 3, "{links:?}");
    for link in &links {
        assert!(link.starts_with("https://") && link.contains(".docs.example.org/"), "{link}");
        assert!(register.iter().any(|canary| marker(canary, "document_link") == *link));
    }
    let serving = site.serve().await;
    serving.settled().await;
    let host = url::Url::parse(&links[0]).unwrap().host_str().unwrap().to_owned();
    let port = serving.address("names").port().to_string();
    let asked = ["@127.0.0.1", "-p", &port, "+short", &host, "A"];
    let answer = Command::new(peer("TELLTALE_TEST_DIG")).args(asked).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "127.0.0.1\n");
    let opened = inbox.wait("/hook", |alert| alert.json()["type"] == "incident.opened").await.json();
    let sighting = &opened["data"]["sightings"][0];
    assert_eq!((&sighting["class"], &sighting["sensor"]), (&json!("preview"), &json!("names")));
    let canary = register.iter().find(|canary| marker(canary, "document_link") == links[0]).unwrap();
    assert_eq!(sighting["canary"], canary["canary"]);
    assert!(!opened.to_string().contains(host.split('.').next().unwrap()), "an alert bears no marker");

    // The same document is opened, and its host is all that tells which it is.
    let fetched = client().get(format!("http://{}/", serving.address("links"))).header("host", &host).send().await;
    assert_eq!(fetched.unwrap().status(), 200);
    let id = opened["data"]["incident"]["id"].as_str().unwrap_or_default().to_owned();
    let shown = shown(&site, &id, 2).await;
    let sensors: Vec<&Value> = shown["items"].as_array().unwrap().iter().map(|sighting| &sighting["sensor"]).collect();
    assert_eq!(sensors, ["names", "links"]);
    assert!(serving.terminate().await.0.success());
    assert_eq!(site.run(&format!("scan {}", site.path("papers").display())).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chat_fetches_is_told_and_accuses_nobody() {
    let inbox = Inbox::start().await;
    let site = site(&inbox).await;
    site.run("plant papers --count 24 --json").await.ends(0);
    site.run("verify papers --json").await.ends(0);
    let serving = site.serve().await;
    serving.settled().await;
    let fetch = async |agent: &str| {
        for canary in site.canaries("papers").await {
            let host = url::Url::parse(&marker(&canary, "document_link")).unwrap().host_str().unwrap().to_owned();
            // Whatever fetches it looks its host up first.
            look_up(serving.address("names"), &host).await;
            let asked = client().get(format!("http://{}/", serving.address("links"))).header("host", host);
            assert_eq!(asked.header("user-agent", agent).send().await.unwrap().status(), 200);
        }
    };
    fetch("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)").await;
    let opened = inbox.wait("/hook", |alert| alert.json()["type"] == "incident.opened").await.json();
    let sighting = &opened["data"]["sightings"][0];
    // Of the first lookup and the first fetch either may be told first.
    assert_eq!(sighting["class"], "preview");
    let summary = opened["data"]["summary"].as_str().unwrap();
    let services = ["dns over UDP, sender unproven", "beacon, by a preview in Slack"];
    assert!(services.iter().any(|service| summary.contains(&format!("fetched ({service})"))), "{opened}");
    let id = opened["data"]["incident"]["id"].as_str().unwrap_or_default().to_owned();
    let seen = shown(&site, &id, 48).await;
    assert_eq!(seen["attribution"]["verdict"], "inconclusive", "{seen}");
    assert_eq!(seen["attribution"]["stores"][0]["accused"], false);
    let why = "no distinct canary of papers was seen, beside 24 by previews of documents alone; 2 are asked";
    assert!(seen["attribution"]["why_not"].as_array().unwrap().contains(&json!(why)), "{seen}");

    // Readers open the same documents: that tells.
    fetch("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0").await;
    let seen = shown(&site, &id, 96).await;
    assert_eq!(seen["attribution"]["verdict"], "attributed", "{seen}");
    assert_eq!(seen["severity"], "critical");
    assert!(serving.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_would_stand_for_every_document_is_refused() {
    let inbox = Inbox::start().await;
    let site = site(&inbox).await;
    let text = fs::read_to_string(site.path("telltale.toml")).unwrap();
    site.configure(&text.replace("https://docs.example.org", "https://docs.example.org/ressources-humaines"));
    let complaint = site.run("plant papers --count 6").await.ends(2).complaint();
    assert!(complaint.contains("would all be taken for one") && complaint.contains("public_url"), "{complaint}");
    // A word as short as those around the links is told apart.
    site.configure(&text.replace("https://docs.example.org", "https://docs.example.org/rh"));
    site.run("plant papers --count 6").await.ends(0);
}

/// Asks for the address of a name, over UDP.
async fn look_up(server: SocketAddr, host: &str) {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(format!("{host}.")).unwrap(), RecordType::A));
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).await.unwrap();
    let mut answer = [0; 600];
    let length = socket.recv(&mut answer).await.unwrap();
    assert!(!Message::from_vec(&answer[..length]).unwrap().answers.is_empty(), "{host}");
}

/// The incident, once so many sightings have joined it.
async fn shown(site: &Site, id: &str, sightings: u64) -> Value {
    for _ in 0..100 {
        let shown = site.run(&format!("incidents show {id} --json")).await.ends(0).json();
        if shown["sightings"] == sightings {
            return shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{sightings} sightings did not join {id}");
}
