//! Postmark's posts: its password, and what stands in them.

use crate::sensors::posts::{Post, now, told};
use data_encoding::BASE64;
use serde_json::json;
use telltale::sensors::inbound::Refusal;

const KEYS: &str = "user = 'postmark'\npassword = 'long:word'";

fn post(whole: bool, presented: &str) -> Post {
    // As its documentation shows it, shortened.
    let mut mail = json!({
        "FromName": "Thief", "MessageStream": "inbound", "From": "thief@example.com",
        "FromFull": {"Email": "thief@example.com", "Name": "Thief", "MailboxHash": ""},
        "To": "\"A\" <one@example.org>", "ToFull": [{"Email": "one@example.org", "Name": "A", "MailboxHash": ""}],
        "Cc": "", "CcFull": [{"Email": "two@example.org", "Name": "", "MailboxHash": ""}], "BccFull": [],
        "OriginalRecipient": "alias@example.org", "ReplyTo": "", "Subject": "café", "MailboxHash": "",
        "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b", "Date": "Fri, 1 May 2026 10:20:30 +0000",
        "TextBody": "the key", "HtmlBody": "<b>x</b>",
        "Headers": [{"Name": "X-Spam-Status", "Value": "No"}, {"Name": "Received-SPF", "Value": "Pass"}],
        "Attachments": [{"Name": "badge.pdf", "Content": "JVBERg==", "ContentType": "application/pdf", "ContentLength": 4}]
    });
    if whole {
        mail["RawEmail"] = json!("Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nthe key badge.pdf");
    }
    Post::json(&mail, now()).with("authorization", &format!("Basic {}", BASE64.encode(presented.as_bytes())))
}

#[tokio::test]
async fn a_mail_whole_or_taken_apart_is_read_alike() {
    for whole in [true, false] {
        let (touches, _) = post(whole, "postmark:long:word").to("postmark", KEYS).await.expect("it is taken");
        let told = told(&touches);
        let to: Vec<&str> = told.iter().map(|(to, _)| to[0].as_str()).collect();
        assert_eq!(to, ["alias@example.org", "one@example.org", "two@example.org"]);
        for wanted in ["café", "the key", "badge.pdf"] {
            assert!(told[0].1.contains(wanted), "{wanted} in {told:?}");
        }
    }
}

#[tokio::test]
async fn only_its_own_password_opens() {
    for wrong in ["postmark:long", "postmark:long:word2", "other:long:word", ":", "", "postmark"] {
        let refused = post(false, wrong).to("postmark", KEYS).await.err();
        assert_eq!(refused, Some(Refusal::Unproven("wrong_password")), "{wrong}");
    }
    let bearer = post(false, "").with("authorization", "Bearer postmark:long:word");
    assert_eq!(bearer.to("postmark", KEYS).await.err(), Some(Refusal::Unproven("wrong_password")));
}
