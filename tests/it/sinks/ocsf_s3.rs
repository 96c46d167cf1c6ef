//! Findings in a bucket that takes only what AWS's own library finds rightly signed, read back from there, and judged by models of
//! the published class.

use super::{
    alerts::{alert, build, judge, many, peer},
    receiver::{Receiver, answer},
};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::time::Duration;
use telltale::sinks::sink::{Sink, SinkError};
use webhooks::{Answer, Client, Guard, Method};

const SECRET: &str = "wordword-wordword";

fn bucket(name: &str) -> Bucket {
    let endpoint = peer("TELLTALE_TEST_S3").parse().unwrap();
    Bucket::new(endpoint, UrlStyle::Path, name.to_owned(), "eu-west-3").unwrap()
}

fn credentials() -> Credentials {
    Credentials::new("telltale", SECRET)
}

/// Asks the bucket as its owner would.
async fn ask<'a>(method: Method, action: impl S3Action<'a>) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]), None).keeping(1 << 20);
    client.send(method, &action.sign(Duration::from_secs(60)), &[], Vec::new()).await.unwrap()
}

/// A bucket of this test's own.
async fn made() -> Bucket {
    let own = bucket(&format!("telltale-{}", uuid::Uuid::now_v7().simple()));
    let answer = ask(Method::Put, own.create_bucket(&credentials())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    own
}

fn sink(address: &str, name: &str, more: &str) -> Box<dyn Sink> {
    let keys = if more.contains("secret_key") { String::new() } else { format!("secret_key = '{SECRET}'\n") };
    let text = format!(
        "url = '{address}'\nbucket = '{name}'\nregion = 'eu-west-3'\naccess_key = 'telltale'\nallow_private = \
         ['127.0.0.0/8']\n{keys}{more}"
    );
    build("ocsf_s3", &text).unwrap()
}

#[tokio::test]
async fn every_object_is_a_finding_and_a_repetition_overwrites_itself() {
    let bucket = made().await;
    let sink = sink(&peer("TELLTALE_TEST_S3"), bucket.name(), "prefix = 'hr/findings/'");
    sink.probe().await.unwrap();
    let sent = many();
    for several in sent.chunks(8) {
        for outcome in futures_util::future::join_all(several.iter().map(|alert| sink.send(alert))).await {
            assert_eq!(outcome.unwrap().status, Some(200));
        }
    }
    sink.send(&sent[0]).await.unwrap();
    let mut lines = String::new();
    for alert in &sent {
        let name = format!("hr/findings/2026/11/23/telltale-{}-{}.json", alert.id, alert.at.as_millisecond());
        let answer = ask(Method::Get, bucket.get_object(Some(&credentials()), &name)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        lines += &answer.body;
    }
    assert_eq!(lines.lines().count(), sent.len(), "one finding an object");
    assert!(judge("check_ocsf.py", &lines).contains("valid"));
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_no_key() {
    let bucket = made().await;
    let address = peer("TELLTALE_TEST_S3");
    for (name, more, shown) in [
        (bucket.name(), "secret_key = 'another-wordword'", "SignatureDoesNotMatch"),
        ("telltale-nowhere", "", "NoSuchBucket"),
    ] {
        let error = sink(&address, name, more).send(&alert("")).await.unwrap_err();
        assert!(matches!(&error, SinkError::GiveUp { .. }) && error.to_string().contains(shown), "{error}");
        assert!(!error.to_string().contains("wordword"), "{error}");
    }
    for (status, body, retried) in [
        ("403 Forbidden", "<Error><Code>RequestTimeTooSkewed</Code></Error>", true),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Request is not valid yet</Message></Error>", true),
        ("400 Bad Request", "<Error><Code>RequestTimeout</Code></Error>", true),
        ("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>", true),
        ("503 Slow Down", "<Error><Code>SlowDown</Code></Error>", true),
        ("301 Moved Permanently", "<Error><Code>PermanentRedirect</Code></Error>", true),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", false),
    ] {
        let receiver = Receiver::start(answer(status, "", body)).await;
        let sink = sink(&format!("http://{}", receiver.address), "telltale", "session_token = 'token-of-a-session'");
        let error = sink.send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::Retry { .. }), retried, "{status}: {error}");
        let head = &receiver.requests()[0].head;
        assert!(head.starts_with("PUT /telltale/2026/11/23/telltale-a-42-"), "{head}");
        assert!(head.contains("X-Amz-Security-Token=token-of-a-session") && head.contains("X-Amz-Expires=900"));
    }
}

#[test]
fn what_names_no_bucket_is_refused() {
    let with = |more: &str| {
        let text = format!("url = 'https://s3.example.org'\naccess_key = 'telltale'\nsecret_key = 'wordword'\n{more}");
        build("ocsf_s3", &text).err().map(|error| error.key)
    };
    assert_eq!(with("bucket = 'hr'\nregion = 'eu-west-3'").as_deref(), Some("bucket"));
    assert_eq!(with("bucket = 'a/b/c'\nregion = 'eu-west-3'").as_deref(), Some("bucket"));
    assert_eq!(with("bucket = 'telltale'\nregion = ''").as_deref(), Some("region"));
    for prefix in ["a/../b", "a//b", ".", "a b"] {
        let text = format!("bucket = 'telltale'\nregion = 'eu-west-3'\nprefix = '{prefix}'");
        assert_eq!(with(&text).as_deref(), Some("prefix"), "{prefix}");
    }
    assert_eq!(with("bucket = 'telltale'\nregion = 'eu-west-3'\npath_style = false\nprefix = 'source=hr/'"), None);
}
