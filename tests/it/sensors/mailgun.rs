//! Mailgun's posts: what is signed, what is stale, and what stands in them.

use crate::sensors::posts::{NOW, Post, now, told};
use ring::hmac;
use telltale::sensors::inbound::Refusal;

const KEYS: &str = "signing_key = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'";

fn signature(timestamp: &str, token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"key-3ax6xnjp29jd6fds4gc373sgvjxteol0");
    data_encoding::HEXLOWER.encode(hmac::sign(&key, format!("{timestamp}{token}").as_bytes()).as_ref())
}

fn post(timestamp: i64, token: &str, more: &[(&str, &str)]) -> Post {
    let (timestamp, own) = (timestamp.to_string(), signature(&timestamp.to_string(), token));
    let mut fields = vec![("recipient", "alias@example.org"), ("sender", "thief@example.com"), ("token", token)];
    fields.extend([("timestamp", timestamp.as_str()), ("signature", own.as_str())]);
    fields.extend(more);
    Post::form(&fields, now())
}

#[tokio::test]
async fn a_mail_whole_or_taken_apart_is_read_alike() {
    let whole =
        post(NOW, "a", &[("body-mime", "Subject: =?utf-8?q?caf=C3=A9?=\r\nTo: x@example.com\r\n\r\nthe key\r\n")]);
    let headers = r#"[["Subject","café"],["To","x@example.com"]]"#;
    let apart = post(NOW, "b", &[("message-headers", headers), ("body-plain", "the"), ("body-html", "<b>key</b>")]);
    for post in [whole, apart] {
        let (touches, _) = post.to("mailgun", KEYS).await.expect("it is taken");
        let told = told(&touches);
        assert_eq!((told.len(), told[0].0.as_slice()), (1, ["alias@example.org".to_owned()].as_slice()));
        assert!(told[0].1.contains("café") && told[0].1.contains("key"), "{told:?}");
        assert_eq!((touches[0].reporter.as_str(), touches[0].source_ip), ("mailgun", None));
        assert!(
            touches[0].evidence.starts_with(b"MAIL FROM:<thief@example.com>\r\nRCPT TO:<alias@example.org>\r\n\r\n")
        );
    }
}

#[tokio::test]
async fn what_is_not_signed_or_old_is_not_taken() {
    let unproven = async |post: Post| match post.to("mailgun", KEYS).await {
        Err(Refusal::Unproven(reason)) => reason,
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(unproven(post(NOW - 301, "a", &[])).await, "stale");
    assert_eq!(unproven(post(NOW + 301, "a", &[])).await, "stale");
    let own = signature(&NOW.to_string(), "a");
    for (timestamp, token, signature) in [
        (NOW.to_string(), "b", own.clone()),
        ((NOW + 1).to_string(), "a", own.clone()),
        (NOW.to_string(), "a", String::new()),
        (NOW.to_string(), "a", own[..62].to_owned()),
        (NOW.to_string(), "a", format!("{own}00")),
        (NOW.to_string(), "a", "zz".repeat(32)),
    ] {
        let fields =
            [("recipient", "a@example.org"), ("timestamp", &timestamp), ("token", token), ("signature", &signature)];
        assert_eq!(unproven(Post::form(&fields, now())).await, "wrong_signature", "{timestamp} {token} {signature}");
    }
    let (_, one) = post(NOW, "a", &[]).to("mailgun", KEYS).await.expect("taken");
    let (_, again) = post(NOW, "a", &[("body-plain", "other")]).to("mailgun", KEYS).await.expect("taken");
    let (_, other) = post(NOW, "b", &[]).to("mailgun", KEYS).await.expect("taken");
    assert!(one == again && one != other, "a signature is one request, whatever comes with it");
}
