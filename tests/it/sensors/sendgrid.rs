//! SendGrid's posts, signed by the published example and by a key of our own.

use crate::sensors::{
    observer::build,
    posts::{NOW, Post, now, told},
};
use data_encoding::BASE64;
use jiff::Timestamp;
use rcgen::PublicKeyData as _;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use telltale::{
    domain::{secret::with_literals, section::Section},
    sensors::{ALL, inbound::Refusal},
};

/// As its own libraries have it, of the webhook that is signed in the same way.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
const SIGNATURE: &str =
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=";
const PAYLOAD: &str = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";
const AT: &str = "1600112502";

fn published(at: i64) -> Post {
    let now = Timestamp::from_second(at).unwrap();
    Post { body: PAYLOAD.as_bytes().to_vec(), now, ..Post::default() }
        .with("x-twilio-email-event-webhook-signature", SIGNATURE)
        .with("x-twilio-email-event-webhook-timestamp", AT)
}

#[tokio::test]
async fn the_published_signature_is_right_until_it_is_old() {
    let keys = format!("public_key = '{KEY}'");
    let outcome = async |post: Post| post.to("sendgrid", &keys).await.err().unwrap();
    // It tells of no mail: that is seen once it is proven.
    assert!(matches!(outcome(published(1_600_112_502)).await, Refusal::Unreadable(_)));
    assert_eq!(outcome(published(1_600_112_803)).await, Refusal::Unproven("stale"));
    let wrong = Refusal::Unproven("wrong_signature");
    let mut other = published(1_600_112_502);
    other.body[5] ^= 1;
    assert_eq!(outcome(other).await, wrong);
    assert_eq!(
        outcome(published(1_600_112_502).with("x-twilio-email-event-webhook-timestamp", "1600112503")).await,
        wrong
    );
    for signature in ["", "MEUC", "AAAA"] {
        assert_eq!(
            outcome(published(1_600_112_502).with("x-twilio-email-event-webhook-signature", signature)).await,
            wrong
        );
    }
}

#[tokio::test]
async fn a_mail_is_read_with_its_envelope_and_its_sender() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pair = rcgen::KeyPair::generate().unwrap();
    let keys = format!("public_key = '{}'", BASE64.encode(&pair.subject_public_key_info()));
    let signer =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pair.serialize_der(), &SystemRandom::new()).unwrap();
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let envelope = part("envelope", r#"{"to":["one@example.org","two@example.org"],"from":"thief@example.com"}"#);
    let whole = part("email", "Subject: hello\r\n\r\nthe key\r\n");
    let apart =
        part("headers", "Subject: hello\nTo: x@example.com") + &part("text", "the key") + &part("html", "<i>x</i>");
    for content in [whole, apart] {
        let body = format!("{envelope}{content}{}{}--b--\r\n", part("SPF", "pass"), part("sender_ip", "192.0.2.7"));
        let signature = signer.sign(&SystemRandom::new(), format!("{NOW}{body}").as_bytes()).unwrap();
        let post = Post { body: body.into_bytes(), now: now(), ..Post::default() }
            .with("content-type", "multipart/form-data; boundary=b")
            .with("x-twilio-email-event-webhook-signature", &BASE64.encode(signature.as_ref()))
            .with("x-twilio-email-event-webhook-timestamp", &NOW.to_string());
        let (touches, _) = post.to("sendgrid", &keys).await.expect("it is taken");
        let told = told(&touches);
        assert_eq!((told[0].0[0].as_str(), told[1].0[0].as_str()), ("one@example.org", "two@example.org"));
        assert!(told[0].1.contains("hello") && told[0].1.contains("the key") && told[1].1.is_empty(), "{told:?}");
        assert_eq!(touches[0].source_ip, Some("192.0.2.7".parse().unwrap()));
    }
    let unsigned = Post { body: envelope.into_bytes(), now: now(), ..Post::default() }
        .with("x-twilio-email-event-webhook-signature", "");
    assert_eq!(unsigned.to("sendgrid", &keys).await.err(), Some(Refusal::Unproven("wrong_signature")));
}

#[test]
fn a_key_is_one_or_refused() {
    let told = |key: &str| {
        let keys = toml::Table::from_iter([("public_key".to_owned(), toml::Value::String(key.to_owned()))]);
        let section = Section { name: "s".into(), keys, folder: ".".into() };
        let entry = ALL.iter().find(|entry| entry.kind == "sendgrid").unwrap();
        with_literals(true, || (entry.build)(&section)).err().map(|error| error.key)
    };
    assert_eq!(told(KEY), None);
    assert_eq!(told(&format!("-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----\n")), None);
    for wrong in ["", "x", &KEY[..40]] {
        assert_eq!(told(wrong).as_deref(), Some("public_key"), "{wrong}");
    }
    drop(build("sendgrid", &format!("public_key = '{KEY}'")));
}
