//! The paste sensor, against bepasty and against a small site that misbehaves in every way it can.

use crate::sensors::observer::{Recorder, Watching};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use telltale::domain::sighting::{Class, Touch};

/// A site with rustypaste's list.
#[derive(Default)]
struct Site {
    items: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Names in the list that no file bears.
    hostile: Mutex<Vec<String>>,
    asked: Mutex<Vec<(String, HeaderMap)>>,
    redirect_to: Mutex<Option<String>>,
    busy: AtomicBool,
}

impl Site {
    async fn start(items: &[(&str, &[u8])]) -> (Arc<Site>, SocketAddr) {
        let site = Arc::new(Site::default());
        for (name, bytes) in items {
            site.put(name, bytes);
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(serve).with_state(site.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (site, address)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        self.items.lock().expect("unpoisoned").insert(name.to_owned(), bytes.to_vec());
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().expect("unpoisoned").iter().filter(|(asked, _)| asked == path).count()
    }
}

async fn serve(State(site): State<Arc<Site>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    site.asked.lock().expect("unpoisoned").push((path.clone(), request.headers().clone()));
    if site.busy.load(SeqCst) {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "2")]).into_response();
    }
    if path != "/list" {
        if let Some(to) = site.redirect_to.lock().expect("unpoisoned").clone() {
            return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
        }
        let query = format!("name={}", path.trim_start_matches('/'));
        let name = url::form_urlencoded::parse(query.as_bytes()).next().expect("a pair").1.into_owned();
        return match site.items.lock().expect("unpoisoned").get(&name) {
            Some(bytes) => Body::from(bytes.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let mut names: Vec<String> = site.items.lock().expect("unpoisoned").keys().cloned().collect();
    names.extend(site.hostile.lock().expect("unpoisoned").clone());
    let etag = format!("\"{}\"", names.join("|").len());
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let list: Vec<_> = names
        .iter()
        .map(|name| json!({"file_name": name, "file_size": 1, "creation_date_utc": "2026-05-01 10:20:30", "expires_at_utc": null}))
        .collect();
    ([(header::ETAG, etag)], serde_json::to_string(&list).expect("JSON")).into_response()
}

async fn watch(address: SocketAddr, more: &str) -> Watching {
    Watching::start("paste", &format!("source = 'rustypaste'\nurl = 'http://{address}'\nevery = '200ms'\n{more}")).await
}

fn services(touches: &[Touch]) -> Vec<&str> {
    touches.iter().map(|touch| touch.service.as_str()).collect()
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 10 s");
}

#[tokio::test]
async fn every_new_item_is_reported_once() {
    let (site, address) = Site::start(&[("a.txt", b"first"), ("b.txt", b"\xff\xfe second")]).await;
    let paste = watch(address, "token = 'key'").await;
    paste.recorder.wait_for(2).await;
    site.put("c d é.txt", b"third");
    let touches = paste.recorder.wait_for(3).await;
    until(|| site.asked("/list") > 6).await;
    assert_eq!(paste.recorder.touches().len(), 3, "reported again");
    assert_eq!(services(&touches), ["rustypaste/b.txt", "rustypaste/a.txt", "rustypaste/c d é.txt"]);
    let touch = &touches[0];
    assert_eq!((touch.class, touch.source_ip), (Class::Dump, None));
    assert_eq!(touch.text, b"\xff\xfe second");
    assert_eq!(touch.evidence, touch.text);
    assert_eq!(touch.reporter, format!("http://{address}"));
    assert_eq!(touch.at.to_string(), "2026-05-01T10:20:30Z");
    let asked = site.asked.lock().expect("unpoisoned");
    assert!(asked.iter().all(|(_, headers)| headers.get("authorization").is_some_and(|value| value == "key")));
    let lists: Vec<_> = asked.iter().filter(|(path, _)| path == "/list").collect();
    assert!(lists[1..].iter().all(|(_, headers)| headers.contains_key("if-none-match")), "the list's version is sent");
}

#[tokio::test]
async fn what_was_seen_is_remembered_across_a_restart() {
    let (site, address) = Site::start(&[("a.txt", b"first")]).await;
    let paste = watch(address, "").await;
    paste.recorder.wait_for(1).await;
    until(|| !paste.recorder.positions.lock().expect("unpoisoned").is_empty()).await;
    let recorder = paste.recorder.clone();
    drop(paste);
    let remembered = recorder.positions.lock().expect("unpoisoned")["paste"].to_string();
    assert!(!remembered.contains("a.txt"), "a name may be a person's: {remembered}");
    site.put("b.txt", b"second");
    let keys = format!("source = 'rustypaste'\nurl = 'http://{address}'\nevery = '200ms'");
    let _again = Watching::start_with(recorder.clone(), "paste", &keys).await;
    recorder.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(services(&recorder.touches()), ["rustypaste/a.txt", "rustypaste/b.txt"]);
}

#[tokio::test]
async fn an_item_that_was_not_durable_is_reported_again() {
    let (site, address) = Site::start(&[("a.txt", b"first")]).await;
    let (recorder, _) = Recorder::new();
    // It knows its place by then, and fails at what it found.
    recorder.stalled.store(true, SeqCst);
    let keys = format!("source = 'rustypaste'\nurl = 'http://{address}'\nevery = '100ms'");
    let _paste = Watching::start_with(recorder.clone(), "paste", &keys).await;
    until(|| site.asked("/a.txt") > 0).await;
    recorder.failing.store(true, SeqCst);
    recorder.stalled.store(false, SeqCst);
    until(|| recorder.refused("not_durable") > 1).await;
    assert!(recorder.touches().is_empty());
    recorder.failing.store(false, SeqCst);
    recorder.wait_for(1).await;
}

#[tokio::test]
async fn a_busy_site_is_left_alone_for_as_long_as_it_asks() {
    let (site, address) = Site::start(&[("a.txt", b"first")]).await;
    site.busy.store(true, SeqCst);
    let paste = watch(address, "").await;
    until(|| site.asked("/list") == 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(site.asked("/list"), 1, "asked again within the two seconds it asked for");
    site.busy.store(false, SeqCst);
    paste.recorder.wait_for(1).await;
}

#[tokio::test]
async fn a_site_that_asks_to_wait_for_long_is_told_and_a_short_while_is_not() {
    let (site, address) = Site::start(&[("a.txt", b"first")]).await;
    site.busy.store(true, SeqCst);
    let keys = format!("source = 'rustypaste'\nurl = 'http://{address}'\nevery = '500ms'");
    let paste = Watching::start("paste", &keys).await;
    let unable = || *paste.recorder.unable.lock().expect("unpoisoned");
    until(|| site.asked("/list") == 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(unable(), None);
    // Three times `every`, though it asked for two seconds and is left alone for as long.
    until(|| unable() == Some("the_site_asks_to_wait")).await;
    assert!(site.asked("/list") <= 2);
    site.busy.store(false, SeqCst);
    paste.recorder.wait_for(1).await;
    until(|| unable().is_none()).await;
}

#[tokio::test]
async fn a_failure_is_looked_at_again_soon_and_then_told() {
    let (site, address) = Site::start(&[]).await;
    site.put("a.txt", b"<html>");
    let folder = tempfile::tempdir().expect("a folder");
    let source =
        "every = '10m'\n[list]\npath = '/a.txt'\nformat = 'json'\nitems = ''\nid = '/id'\n[item]\npath = '/{id}'";
    std::fs::write(folder.path().join("own.toml"), source).expect("written");
    let keys = format!("source = 'own'\nurl = 'http://{address}'\nsources_dir = '{}'", folder.path().display());
    let paste = Watching::start("paste", &keys).await;
    let unable = || *paste.recorder.unable.lock().expect("unpoisoned");
    until(|| site.asked("/a.txt") == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((unable(), site.asked("/a.txt")), (None, 1), "once may be anything");
    until(|| site.asked("/a.txt") == 2 && unable() == Some("the_site_cannot_be_read")).await;
}

#[tokio::test]
async fn a_hostile_site_leads_nowhere_else() {
    let (elsewhere, other) = Site::start(&[("stolen", b"x")]).await;
    let (site, address) = Site::start(&[("a.txt", b"first")]).await;
    let hostile = [
        "../../admin",
        &format!("//{other}/stolen"),
        &format!("http://{other}/stolen"),
        "x\r\nHost: evil",
        &format!("@{other}/stolen"),
        "..",
        "",
        "?x#y",
        "\\\\evil\\x",
    ];
    site.hostile.lock().expect("unpoisoned").extend(hostile.iter().map(|name| (*name).to_owned()));
    let paste = watch(address, "").await;
    paste.recorder.wait_for(1).await;
    until(|| site.asked("/list") > 3).await;
    assert_eq!(services(&paste.recorder.touches()), ["rustypaste/a.txt"]);
    assert_eq!(site.asked("/admin"), 0);

    *site.redirect_to.lock().expect("unpoisoned") = Some(format!("http://{other}/stolen"));
    site.put("b.txt", b"second");
    until(|| paste.recorder.refused("redirect_refused") > 0).await;
    assert!(elsewhere.asked.lock().expect("unpoisoned").is_empty(), "followed to another origin");
    assert_eq!(paste.recorder.touches().len(), 1);
}

#[tokio::test]
async fn a_huge_item_is_taken_in_as_a_file_up_to_the_limit_and_counted() {
    let (site, address) = Site::start(&[("huge.txt", &vec![b'x'; 300_000]), ("a.txt", b"first")]).await;
    let paste = watch(address, "max_item = 100000").await;
    let taken = || paste.recorder.taken.lock().expect("unpoisoned").clone();
    paste.recorder.wait_for(1).await;
    until(|| !taken().is_empty()).await;
    until(|| site.asked("/list") > 3).await;
    assert_eq!(taken(), [("rustypaste/huge.txt".to_owned(), vec![b'x'; 100_000])]);
    assert_eq!(services(&paste.recorder.touches()), ["rustypaste/a.txt"]);
    assert_eq!(paste.recorder.refused("item_too_large"), 1);
}

#[tokio::test]
async fn a_site_that_answers_nonsense_is_counted() {
    let (site, address) = Site::start(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let source =
        "every = '100ms'\n[list]\npath = '/a.txt'\nformat = 'json'\nitems = ''\nid = '/id'\n[item]\npath = '/{id}'";
    std::fs::write(folder.path().join("own.toml"), source).expect("written");
    let keys = format!("source = 'own'\nurl = 'http://{address}'\nsources_dir = '{}'", folder.path().display());
    let paste = Watching::start("paste", &keys).await;
    until(|| paste.recorder.refused("list_gone") > 0).await;
    site.put("a.txt", b"<html>");
    until(|| paste.recorder.refused("list_not_json") > 0).await;
    site.put("a.txt", b"\"text\"");
    until(|| paste.recorder.refused("list_without_items") > 0).await;
    site.put("a.txt", b"[{\"id\": \"b.txt\"}]");
    site.put("b.txt", b"found");
    assert_eq!(paste.recorder.wait_for(1).await[0].text, b"found");
}

fn peer(name: &str) -> String {
    let missing = |_| panic!("{name} is not set: run the tests with tests/run (tests/peers/bepasty.sh)");
    std::env::var(name).unwrap_or_else(missing)
}

#[tokio::test]
async fn bepasty_is_watched() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, token) = (peer("TELLTALE_TEST_BEPASTY_URL"), peer("TELLTALE_TEST_BEPASTY_TOKEN"));
    let paste = async |text: &str| {
        use base64::Engine as _;
        let answer = reqwest::Client::new()
            .post(format!("{url}/apis/rest/items"))
            .header("content-type", "text/plain")
            .header("content-filename", "dump.txt")
            .header("content-range", format!("bytes 0-{}/{}", text.len() - 1, text.len()))
            .body(base64::engine::general_purpose::STANDARD.encode(text))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 201);
        let place = answer.headers()["content-location"].to_str().expect("text").to_owned();
        place.rsplit('/').next().expect("a name").to_owned()
    };
    let before = paste("first dump: FR76 0000").await;
    let keys = format!("source = 'bepasty'\nurl = '{url}'\nevery = '300ms'\ntoken = '{token}'");
    let watching = Watching::start("paste", &keys).await;
    watching.recorder.wait_for(1).await;
    let after = paste("second dump: é").await;
    for (name, text) in [(before, "first dump: FR76 0000"), (after, "second dump: é")] {
        let service = format!("bepasty/{name}");
        until(|| watching.recorder.touches().iter().any(|touch| touch.service == service)).await;
        let touches = watching.recorder.touches();
        let touch = touches.iter().find(|touch| touch.service == service).expect("reported");
        assert_eq!(String::from_utf8_lossy(&touch.text), text);
    }
    let closed = crate::sensors::observer::build("paste", &format!("source = 'bepasty'\nurl = '{url}'"));
    let error = closed.probe().await.expect_err("no right to list").to_string();
    assert!(error.contains("check token"), "{error}");
}
