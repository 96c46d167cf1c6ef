//! Okta's System Log, by a provider that holds to its published answers.

use crate::sensors::{
    clouds::{Asked, Cloud, names, until},
    observer::{Recorder, Watching, build},
};
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

/// As the API's reference shows one, shortened.
fn login(number: usize, ago: i64) -> Value {
    let published = Timestamp::now() - SignedDuration::from_secs(ago);
    json!({
        "actor": {"id": "00u1", "type": "User", "alternateId": format!("c.moreau{number}@example.org"), "displayName": "C"},
        "client": {"userAgent": {"rawUserAgent": "curl"}, "ipAddress": "198.51.100.7"},
        "displayMessage": "User login to Okta", "eventType": "user.session.start",
        "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
        "published": format!("{published:.3}"), "severity": "INFO", "uuid": format!("u-{number}"), "version": "0"
    })
}

/// The log, two events a page.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<Value>>,
    refusing: AtomicUsize,
    none_left: AtomicBool,
    next_at: Mutex<Option<String>>,
    redirect: AtomicBool,
}

impl Log {
    async fn start(count: usize) -> (Arc<Log>, Arc<Cloud>) {
        let log = Arc::new(Log::default());
        *log.events.lock().unwrap() = (0..count).map(|number| login(number, 60 - number as i64)).collect();
        let answering = log.clone();
        let cloud = Cloud::start(move |asked| answering.answer(asked)).await;
        (log, cloud)
    }

    fn answer(&self, asked: &Asked) -> Response {
        if self.redirect.load(SeqCst) {
            return (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response();
        }
        if asked.shown() != "SSWS word" {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        if self.refusing.load(SeqCst) > 0 {
            self.refusing.fetch_sub(1, SeqCst);
            let reset = Timestamp::now().as_second().to_string();
            let headers =
                [("x-rate-limit-limit", "60"), ("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &reset)];
            return (StatusCode::TOO_MANY_REQUESTS, headers).into_response();
        }
        let since: Timestamp = asked.query["since"].parse().expect("a time");
        let time = |event: &Value| event["published"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let mut events: Vec<Value> = self.events.lock().unwrap().clone();
        events.retain(|event| time(event) >= since);
        events.sort_by_key(time);
        let begin: usize = asked.query.get("after").map_or(0, |after| after.parse().unwrap());
        let page: Vec<Value> = events.iter().skip(begin).take(2).cloned().collect();
        let host = asked.headers["host"].to_str().unwrap();
        let own = format!("http://{host}/api/v1/logs?since={}&after={}", asked.query["since"], begin + page.len());
        let next = self.next_at.lock().unwrap().clone().unwrap_or(own);
        let mut response = axum::Json(page.clone()).into_response();
        let headers = response.headers_mut();
        headers.append("link", format!("<http://{host}/api/v1/logs>; rel=\"self\"").parse().unwrap());
        if !page.is_empty() {
            headers.append("link", format!("<{next}>; rel=\"next\"").parse().unwrap());
        }
        let left = if self.none_left.load(SeqCst) { "0" } else { "59" };
        headers.insert("x-rate-limit-remaining", left.parse().unwrap());
        let reset = Timestamp::now().as_second() + 1;
        headers.insert("x-rate-limit-reset", reset.to_string().parse().unwrap());
        response
    }
}

fn keys(cloud: &Cloud) -> String {
    format!("url = 'http://{}'\ntoken = 'word'\nevery = '100ms'\nallow_private = ['127.0.0.0/8']", cloud.address)
}

async fn watch(recorder: &Arc<Recorder>, cloud: &Cloud) -> Watching {
    Watching::start_with(recorder.clone(), "okta", &keys(cloud)).await
}

#[tokio::test]
async fn pages_follow_each_other_and_each_login_is_told_once() {
    let (log, cloud) = Log::start(5).await;
    let (recorder, _) = Recorder::new();
    let okta = watch(&recorder, &cloud).await;
    let touches = recorder.wait_for(5).await;
    let wanted: Vec<String> = (0..5).map(|number| format!("c.moreau{number}@example.org")).collect();
    assert_eq!(names(&touches), wanted);
    let touch = &touches[0];
    assert_eq!((touch.sensor.as_str(), touch.service.as_str()), ("okta", "okta"));
    assert_eq!(
        (touch.reporter.clone(), touch.source_ip),
        (format!("http://{}", cloud.address), "198.51.100.7".parse().ok())
    );
    // One that comes late, behind those that were read.
    log.events.lock().unwrap().push(login(5, 90));
    recorder.wait_for(6).await;
    let seen = cloud.asked("/api/v1/logs").len();
    until("it looks on", || cloud.asked("/api/v1/logs").len() > seen + 6).await;
    assert_eq!(recorder.touches().len(), 6, "told again");
    let first = &cloud.asked("/api/v1/logs")[0];
    assert!(first.query["filter"].contains("user.session.start") && first.query["sortOrder"] == "ASCENDING");
    okta.stop.cancel();
    until("it stops", || okta.running.task.is_finished()).await;
    let position = recorder.positions.lock().unwrap()["okta"].to_string();
    assert!(!position.contains("u-1") && !position.contains("moreau"), "{position}");
    log.events.lock().unwrap().push(login(6, 1));
    let _again = watch(&recorder, &cloud).await;
    assert_eq!(names(&recorder.wait_for(7).await)[6], "c.moreau6@example.org");
    until("it looks on", || cloud.asked("/api/v1/logs").len() > seen + 20).await;
    assert_eq!(recorder.touches().len(), 7);
    assert_eq!(*recorder.unable.lock().unwrap(), None);
}

#[tokio::test]
async fn after_a_crash_nothing_is_missed_and_nothing_told_twice() {
    let (log, cloud) = Log::start(3).await;
    let (recorder, _) = Recorder::new();
    let okta = watch(&recorder, &cloud).await;
    recorder.wait_for(3).await;
    recorder.failing.store(true, SeqCst);
    log.events.lock().unwrap().push(login(3, 1));
    until("it fails", || recorder.refused("not_durable") > 0).await;
    okta.running.task.abort();
    drop(okta);
    recorder.failing.store(false, SeqCst);
    let _again = watch(&recorder, &cloud).await;
    recorder.wait_for(4).await;
    let seen = cloud.asked("/api/v1/logs").len();
    until("it looks on", || cloud.asked("/api/v1/logs").len() > seen + 6).await;
    let told = names(&recorder.touches());
    assert_eq!(told.len(), 4, "{told:?}");
}

#[tokio::test]
async fn a_stop_leaves_what_it_cannot_make_durable() {
    let (log, cloud) = Log::start(1).await;
    let (recorder, _) = Recorder::new();
    let mut okta = watch(&recorder, &cloud).await;
    recorder.wait_for(1).await;
    recorder.failing.store(true, SeqCst);
    log.events.lock().unwrap().push(login(1, 1));
    until("it fails", || recorder.refused("not_durable") > 0).await;
    // The disk has room again just when it is stopped: what is in hand is not told, and must not be known as told.
    okta.stop.cancel();
    recorder.failing.store(false, SeqCst);
    (&mut okta.running.task).await.unwrap().expect("it stops");
    let _again = watch(&recorder, &cloud).await;
    assert_eq!(names(&recorder.wait_for(2).await).last().unwrap(), "c.moreau1@example.org");
}

#[tokio::test]
async fn its_limits_are_kept() {
    let (log, cloud) = Log::start(1).await;
    log.refusing.store(2, SeqCst);
    let (recorder, _) = Recorder::new();
    let okta = watch(&recorder, &cloud).await;
    recorder.wait_for(1).await;
    assert_eq!(recorder.refused("asked_to_wait"), 2);
    // It says that nothing is left: until then nobody asks.
    log.none_left.store(true, SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let before = cloud.asked("/api/v1/logs").len();
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    let asked = cloud.asked("/api/v1/logs").len() - before;
    assert!(asked <= 1, "asked {asked} times");
    drop(okta);
}

#[tokio::test]
async fn nobody_else_is_asked_whatever_it_answers() {
    let other = Cloud::start(|_| axum::Json(json!([])).into_response()).await;
    let refused = async |next: Option<String>, redirect: bool, reason: &str| {
        let (log, cloud) = Log::start(2).await;
        *log.next_at.lock().unwrap() = next;
        log.redirect.store(redirect, SeqCst);
        let okta = Watching::start("okta", &keys(&cloud)).await;
        until(reason, || okta.recorder.refused(reason) > 1).await;
        until("it says so", || okta.recorder.unable.lock().unwrap().is_some()).await;
        assert_eq!(*okta.recorder.unable.lock().unwrap(), Some("the_log_cannot_be_read"));
        build("okta", &keys(&cloud)).probe().await
    };
    let elsewhere = format!("http://{}/api/v1/logs", other.address);
    assert!(refused(Some(elsewhere), false, "strange_address").await.is_ok(), "the first page is a log");
    assert!(refused(Some("http://u:p@127.0.0.1:1/".into()), false, "strange_address").await.is_ok());
    let error = refused(None, true, "redirect_refused").await.unwrap_err().to_string();
    assert!(error.contains("redirect_refused"), "{error}");
    assert_eq!(other.asked("/api/v1/logs").len(), 0);

    let (_, cloud) = Log::start(1).await;
    let bare = keys(&cloud).replace("word", "other");
    let error = build("okta", &bare).probe().await.unwrap_err().to_string();
    assert!(error.contains("not open to us") && !error.contains("other"), "{error}");
}

#[test]
fn an_address_that_a_token_may_not_be_sent_to_is_refused() {
    use telltale::{
        domain::{secret::with_literals, section::Section},
        sensors::ALL,
    };
    let told = |keys: &str| {
        let section = Section { name: "o".into(), keys: keys.parse().unwrap(), folder: ".".into() };
        let entry = ALL.iter().find(|entry| entry.kind == "okta").unwrap();
        with_literals(true, || (entry.build)(&section)).err().map(|error| error.key)
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    assert_eq!(told("url = 'https://example.okta.com'\ntoken = 't'"), None);
    for url in [
        "http://example.okta.com",
        "http://127.0.0.1",
        "https://example.okta.com/x",
        "https://u:p@example.okta.com",
        "ftp://x",
    ] {
        assert_eq!(told(&format!("url = '{url}'\ntoken = 't'")).as_deref(), Some("url"), "{url}");
    }
    assert_eq!(told("token = 't'").as_deref(), Some("url"));
    assert_eq!(told("url = 'https://e.okta.com'\ntoken = 't'\nevery = 'soon'").as_deref(), Some("every"));
}
