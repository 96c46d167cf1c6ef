//! Mail, messages and calls as providers post them to `ingest_listen`: what is proven is taken once and durably, what is not
//! leaves nothing, and nobody learns who is a canary.

use crate::support::{
    inbox::Inbox,
    service::{Site, configured, marker},
    serving::{Serving, client},
};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};
use ring::hmac;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const SENSORS: &str = r#"
[[sensors]]
name = "post-office"
kind = "mailgun"
signing_key = "word"
[[sensors]]
name = "numbers"
kind = "twilio"
url = "https://in.example.org/api/v1/sms"
auth_token = "word"
[[sensors]]
name = "letters"
kind = "postmark"
user = "postmark"
password = "word"
"#;

async fn served() -> (Inbox, Site, Serving, Vec<Value>) {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let doors = "[api]\nlisten = \"127.0.0.1:0\"\ningest_listen = \"127.0.0.1:0\"\n";
    site.configure(&configured(&inbox.address, SENSORS).replace("[api]\nlisten = \"127.0.0.1:0\"\n", doors));
    site.init().await;
    site.run("plant export --count 12 --json").await.ends(0);
    let canaries = site.canaries("export").await;
    let serving = site.serve().await;
    serving.settled().await;
    (inbox, site, serving, canaries)
}

fn at(serving: &Serving, path: &str) -> RequestBuilder {
    client().post(format!("http://{}{path}", serving.address("api ingest")))
}

fn mailgun(serving: &Serving, to: &str, token: &str, key: &str) -> RequestBuilder {
    let at_second = Timestamp::now().as_second().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let code = hmac::sign(&key, format!("{at_second}{token}").as_bytes());
    let signature = data_encoding::HEXLOWER.encode(code.as_ref());
    let mime = format!("To: {to}\r\nSubject: hello\r\n\r\nhello\r\n");
    let fields = [("recipient", to), ("sender", "thief@example.com"), ("timestamp", &at_second), ("token", token)];
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .extend_pairs([("signature", signature.as_str()), ("body-mime", &mime)])
        .finish();
    at(serving, "/api/v1/mail").header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// Status, headers but for the date, and body.
async fn shown(answer: Response) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers().iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (answer.status().as_u16(), headers, answer.text().await.unwrap())
}

async fn sightings(site: &Site) -> Vec<Value> {
    let listed = site.run("incidents list --json").await.json();
    let Some(id) = listed["items"][0]["id"].as_str() else { return Vec::new() };
    site.run(&format!("incidents show {id} --json")).await.json()["items"].as_array().cloned().unwrap_or_default()
}

async fn until(site: &Site, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let found = sightings(site).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?}, {count} are expected", sightings(site).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proven_is_taken_once_and_nothing_tells_a_canary() {
    let (_inbox, site, serving, canaries) = served().await;
    let mail = marker(&canaries[0], "work_email");
    let stranger = mail.replacen('.', "x", 1);

    let wrong = mailgun(&serving, &mail, "a", "other").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.headers()["content-type"], "application/problem+json");
    assert!(at(&serving, "/api/v1/mail").body("x").send().await.unwrap().status() == 401, "nobody is nobody");

    let request = mailgun(&serving, &mail, "a", "word");
    let again = request.try_clone().unwrap();
    let taken = shown(request.send().await.unwrap()).await;
    assert_eq!((taken.0, taken.2.as_str()), (200, "{}"));
    assert_eq!(shown(mailgun(&serving, &stranger, "b", "word").send().await.unwrap()).await, taken);
    assert_eq!(shown(again.send().await.unwrap()).await, taken, "whoever repeats it learns nothing");
    let found = until(&site, 1).await;
    assert_eq!((&found[0]["sensor"], &found[0]["reporter"]), (&json!("post-office"), &json!("mailgun")));
    assert_eq!((&found[0]["class"], &found[0]["marker_kind"]), (&json!("mail"), &json!("work_email")));

    let number = marker(&canaries[1], "phone");
    let international =
        format!("+33{}", number.chars().filter(char::is_ascii_digit).collect::<String>().trim_start_matches('0'));
    let fields = [("AccountSid", "AC1"), ("CallSid", "CA1"), ("From", "+33611111111"), ("To", international.as_str())];
    let signed: String = fields.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"word");
    let code = hmac::sign(&key, format!("https://in.example.org/api/v1/sms{signed}").as_bytes());
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let call = |signature: &str| {
        at(&serving, "/api/v1/sms")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", signature)
            .body(body.clone())
            .send()
    };
    assert_eq!(call("AAAA").await.unwrap().status(), 401);
    let answered = call(&data_encoding::BASE64.encode(code.as_ref())).await.unwrap();
    assert_eq!((answered.status().as_u16(), answered.headers()["content-type"].to_str().unwrap()), (200, "text/xml"));
    assert!(answered.text().await.unwrap().contains("<Reject/>"));
    let found = until(&site, 2).await;
    let called = found.iter().find(|sighting| sighting["sensor"] == "numbers").expect("the call");
    assert_eq!((&called["service"], &called["marker_kind"]), (&json!("call"), &json!("phone")));
    // Nothing of what was not proven, and a stranger is a count.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sightings(&site).await.len(), 2);
    let metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("telltale_strangers_total{sensor=\"post-office\"} 1"), "{metrics}");
    assert!(
        metrics.contains("telltale_refused_total{sensor=\"post-office\",reason=\"wrong_signature\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_posts_mail_and_messages_and_no_other_s_signature_is_passed_over() {
    let (_inbox, site, serving, canaries) = served().await;
    let (mail, number) = (marker(&canaries[0], "work_email"), marker(&canaries[1], "phone"));
    let (token, analyst) = (site.token("ingest").await, site.token("analyst").await);
    let whole = format!("From: thief@example.com\r\nTo: {mail}\r\n\r\nhello\r\n");
    let post = |token: &str| {
        at(&serving, "/api/v1/mail")
            .bearer_auth(token)
            .header("content-type", "message/rfc822")
            .body(whole.clone())
            .send()
    };
    assert_eq!(post(&analyst).await.unwrap().status(), 403);
    assert_eq!(post("tt_nobody").await.unwrap().status(), 401);
    let taken = post(&token).await.unwrap();
    assert_eq!((taken.status().as_u16(), taken.json::<Value>().await.unwrap()), (202, json!({"accepted": 1})));
    let message = json!({"from": "+33611111111", "to": number, "text": "hello"}).to_string();
    let taken =
        at(&serving, "/api/v1/sms").bearer_auth(&token).header("content-type", "application/json").body(message).send();
    assert_eq!(taken.await.unwrap().status(), 202);
    let nonsense = at(&serving, "/api/v1/mail").bearer_auth(&token).body("hello").send().await.unwrap();
    assert_eq!(nonsense.status(), 422);
    // What a provider that is configured would sign must be signed, whoever brings it.
    let unsigned = mailgun(&serving, &mail, "a", "other").bearer_auth(&token).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    let found = until(&site, 2).await;
    let sensors: Vec<&str> = found.iter().map(|sighting| sighting["sensor"].as_str().unwrap()).collect();
    assert_eq!(sensors, ["mail", "sms"]);
    assert!(found[0]["reporter"].as_str().unwrap().starts_with("token:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_posts_a_misp_event_and_what_an_ail_tracker_found() {
    let (_inbox, site, serving, canaries) = served().await;
    let (mail, other) = (marker(&canaries[0], "work_email"), marker(&canaries[1], "work_email"));
    let (token, analyst) = (site.token("ingest").await, site.token("analyst").await);
    let post = async |token: &str, body: Value| {
        let request = at(&serving, "/api/v1/reports").bearer_auth(token).header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    };
    let attribute = |value: &str| json!({"type": "email-dst", "category": "Payload delivery", "value": value});
    let event = json!({"Event": {"id": "4", "uuid": "u-4", "info": "leak", "Attribute": [attribute(&mail), attribute("a@example.com")]}});
    let stranger =
        json!({"Event": {"id": "5", "uuid": "u-5", "info": "leak", "Attribute": [attribute("a@example.com")]}});
    let found = json!({"trackerId": "6a16b06e", "trackerType": "word", "tags": [], "tracker": other,
        "itemId": "submitted/2019/07/26/3efb8a79.gz", "itemURL": "https://ail/object/item?id=x"});
    assert_eq!(post(&analyst, event.clone()).await.status(), 403);
    let answers = [post(&token, event).await, post(&token, stranger).await, post(&token, found).await];
    for answer in answers {
        assert_eq!((answer.status().as_u16(), answer.json::<Value>().await.unwrap()), (202, json!({"accepted": 1})));
    }
    assert_eq!(post(&token, json!({"x": mail})).await.status(), 422);
    let found = until(&site, 2).await;
    let told: Vec<_> =
        found.iter().map(|one| (one["sensor"].as_str().unwrap(), one["service"].as_str().unwrap())).collect();
    assert_eq!(told, [("reports", "misp/event u-4"), ("reports", "ail/submitted/2019/07/26/3efb8a79.gz")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_where_a_provider_posts_and_whether_it_can() {
    let site = Site::stocked(40, "127.0.0.1:9");
    site.configure(&configured("127.0.0.1:9", SENSORS));
    site.init().await;
    let found = async |what: &str| {
        let checked = site.run("check --json").await.json();
        let item = checked["items"].as_array().unwrap().iter().find(|item| item["what"] == what).cloned();
        let item = item.unwrap_or_else(|| panic!("{checked}"));
        (item["state"].as_str().unwrap().to_owned(), item["detail"].as_str().unwrap().to_owned())
    };
    let (state, detail) = found("sensor numbers").await;
    assert!(state == "warn" && detail.contains("/api/v1/sms") && detail.contains("ingest_listen"), "{state}: {detail}");
    let doors = "[api]\nlisten = \"127.0.0.1:0\"\ningest_listen = \"127.0.0.1:0\"\n";
    site.configure(&configured("127.0.0.1:9", SENSORS).replace("[api]\nlisten = \"127.0.0.1:0\"\n", doors));
    let (state, detail) = found("sensor letters").await;
    assert!(state == "ok" && detail.contains("/api/v1/mail at 127.0.0.1"), "{state}: {detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nobody_s_or_too_much_is_refused_early() {
    let (_inbox, _site, serving, canaries) = served().await;
    // Its body never comes: who waits for that would not answer.
    for (path, headers) in [
        ("/api/v1/mail", "authorization: Basic cG9zdG1hcms6b3RoZXI=\r\ncontent-type: application/json\r\n"),
        ("/api/v1/sms", "content-type: application/x-www-form-urlencoded\r\n"),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: 200000\r\n\r\n");
        let mut stream = TcpStream::connect(serving.address("api ingest")).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
        assert!(read.is_ok() && answer == *b"HTTP/1.1 401", "{path}: {}", String::from_utf8_lossy(&answer));
    }
    let metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("telltale_refused_total{sensor=\"letters\",reason=\"wrong_password\"} 1"), "{metrics}");

    let letter = |to: &str, more: Value| {
        let letter = json!({"OriginalRecipient": to, "MessageID": "1", "TextBody": "hello", "Headers": more});
        at(&serving, "/api/v1/mail").basic_auth("postmark", Some("word")).body(letter.to_string())
    };
    let mail = marker(&canaries[0], "work_email");
    let bomb = letter(&mail, json!(vec![json!({"": 0}); 60_000])).send().await.unwrap();
    assert_eq!(bomb.status(), 401);
    assert_eq!(letter(&mail, json!([])).send().await.unwrap().status(), 200);
    let message = at(&serving, "/api/v1/sms").header("x-twilio-signature", "AAAA").body("x".repeat(257 * 1024));
    assert_eq!(message.send().await.unwrap().status(), 413);
}
