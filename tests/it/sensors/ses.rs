//! SES by SNS: both versions of its signature, topics, and whom it may be sent to ask.

use crate::sensors::posts::{Post, now, told};
use async_trait::async_trait;
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::{
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use telltale::sensors::{
    inbound::Refusal,
    ses::{Ses, certificate::Fetch, signed::text},
};
use tempfile::TempDir;
use url::Url;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:mail";
const CERTIFICATE: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem";

/// SNS as these tests have it: one certificate, and what was asked.
struct Sns {
    pem: String,
    asked: Mutex<Vec<String>>,
    away: AtomicBool,
}

#[async_trait]
impl Fetch for Sns {
    async fn fetch(&self, url: &Url) -> Option<String> {
        self.asked.lock().unwrap().push(url.to_string());
        (!self.away.load(SeqCst)).then(|| self.pem.clone())
    }
}

struct House {
    folder: TempDir,
    sns: Arc<Sns>,
    ses: Ses,
}

fn openssl(folder: &TempDir, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let make = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=sns.amazonaws.com -keyout key.pem -out cert.pem";
    openssl(&folder, &make.split(' ').collect::<Vec<_>>());
    let pem = std::fs::read_to_string(folder.path().join("cert.pem")).unwrap();
    let sns = Arc::new(Sns { pem, asked: Mutex::default(), away: AtomicBool::new(false) });
    let ses = Ses::new(vec![TOPIC.to_owned()], sns.clone());
    House { folder, sns, ses }
}

impl House {
    fn sign(&self, mut json: Value, version: &str) -> Value {
        json["SignatureVersion"] = version.into();
        std::fs::write(self.folder.path().join("text"), text(&json).unwrap()).unwrap();
        let digest = if version == "1" { "-sha1" } else { "-sha256" };
        openssl(&self.folder, &["dgst", digest, "-sign", "key.pem", "-out", "signature", "text"]);
        json["Signature"] = BASE64.encode(&std::fs::read(self.folder.path().join("signature")).unwrap()).into();
        json
    }

    async fn put(&self, json: &Value) -> Result<Vec<(Vec<String>, String)>, Refusal> {
        let post = Post::json(json, now())
            .with("content-type", "text/plain; charset=UTF-8")
            .with("x-amz-sns-message-type", "x");
        post.put(&self.ses).await.map(|(touches, _)| told(&touches))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.sns.asked.lock().unwrap())
    }
}

fn mail(content: Option<&str>, encoding: &str) -> Value {
    let mut told = json!({
        "notificationType": "Received",
        "mail": {"timestamp": "2026-05-01T10:20:30.000Z", "source": "thief@example.com", "destination": ["shown@example.org"],
            "headers": [{"name": "Subject", "value": "hello"}]},
        "receipt": {"recipients": ["alias@example.org"], "action": {"type": "SNS", "topicArn": TOPIC, "encoding": encoding}}
    });
    if let Some(content) = content {
        told["content"] = content.into();
    }
    notification(&told.to_string())
}

fn notification(message: &str) -> Value {
    json!({"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC, "Message": message,
        "Subject": "Amazon SES Email Receipt Notification", "Timestamp": "2026-05-01T10:19:30.000Z", "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe"})
}

#[tokio::test]
async fn a_mail_is_taken_under_either_version() {
    let house = house();
    let raw = "Subject: hello\r\n\r\nthe key\r\n";
    let coded = BASE64.encode(raw.as_bytes());
    for (json, version, wanted) in [
        (mail(Some(raw), "UTF-8"), "1", "the key"),
        (mail(Some(&coded), "BASE64"), "2", "the key"),
        (mail(None, "UTF-8"), "2", "hello"),
    ] {
        let told = house.put(&house.sign(json, version)).await.expect("it is taken");
        assert_eq!(told[0].0, ["alias@example.org"]);
        assert!(told[0].1.contains(wanted), "{told:?}");
    }
    assert_eq!(house.asked(), [CERTIFICATE], "a certificate is fetched once");
    // What is no mail is taken, and tells of nobody.
    for message in ["not JSON", r#"{"notificationType":"Bounce"}"#] {
        assert!(house.put(&house.sign(notification(message), "2")).await.expect("taken").is_empty());
    }
}

#[tokio::test]
async fn what_is_not_signed_stale_or_strange_is_not_taken_and_nobody_is_asked() {
    let house = house();
    let own = house.sign(mail(Some("Subject: x\r\n\r\ny"), "UTF-8"), "2");
    let with = |name: &str, value: &str| {
        let mut other = own.clone();
        other[name] = value.into();
        other
    };
    let reason = async |json: &Value| match house.put(json).await {
        Err(Refusal::Unproven(reason)) => reason,
        other => panic!("{other:?}"),
    };
    for strange in [
        "https://evil.example/x.pem",
        "http://sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com/x",
        "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
        "",
    ] {
        assert_eq!(reason(&with("SigningCertURL", strange)).await, "wrong_signature", "{strange}");
    }
    assert_eq!(reason(&with("TopicArn", "arn:aws:sns:eu-west-1:999999999999:mail")).await, "strange_topic");
    assert_eq!(reason(&with("Timestamp", "2026-05-01T09:00:00.000Z")).await, "stale");
    assert_eq!(house.asked(), Vec::<String>::new(), "nothing is fetched for what cannot be right");
    for (name, value) in [
        ("Message", "{}"),
        ("Subject", "other"),
        ("MessageId", "1"),
        ("Signature", "AAAA"),
        ("SignatureVersion", "1"),
        ("SignatureVersion", "3"),
        ("Timestamp", "2026-05-01T10:19:31.000Z"),
        ("Type", "SubscriptionConfirmation"),
    ] {
        assert_eq!(reason(&with(name, value)).await, "wrong_signature", "{name}");
    }
    house.sns.away.store(true, SeqCst);
    let elsewhere = house.sign(
        json!({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/other.pem"}).as_object().map_or_else(
            || own.clone(),
            |more| {
                let mut other = own.clone();
                more.iter().for_each(|(name, value)| other[name] = value.clone());
                other
            },
        ),
        "2",
    );
    assert!(matches!(house.put(&elsewhere).await, Err(Refusal::Later(_))), "it may come again");
}

#[tokio::test]
async fn a_subscription_is_confirmed_on_sns_s_own_host_alone() {
    let house = house();
    let confirmation = |url: &str| {
        house.sign(
            json!({"Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336412f37", "TopicArn": TOPIC,
                "Message": "You have chosen to subscribe", "SubscribeURL": url, "Timestamp": "2026-05-01T10:19:30.000Z",
                "SigningCertURL": CERTIFICATE}),
            "2",
        )
    };
    let own = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=2336412f37";
    assert_eq!(house.put(&confirmation(own)).await, Ok(Vec::new()));
    assert_eq!(house.asked(), [CERTIFICATE, own]);
    for strange in [
        "https://evil.example/?Action=ConfirmSubscription",
        "http://169.254.169.254/?Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com/?Action=DeleteTopic",
    ] {
        assert_eq!(house.put(&confirmation(strange)).await, Err(Refusal::Unproven("strange_address")), "{strange}");
    }
    assert_eq!(house.asked(), Vec::<String>::new());
}
