//! Vonage's posts: signed by a JWT, or by a code over all fields.

use crate::sensors::posts::{NOW, Post, now, told};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use ring::{digest, hmac};
use serde_json::{Value, json};
use telltale::sensors::inbound::Refusal;

const KEYS: &str = "signature_secret = 'secret'";

fn token(head: &Value, claims: &Value, key: &str) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(head), part(claims));
    let code = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes());
    format!("Bearer {signed}.{}", BASE64URL_NOPAD.encode(code.as_ref()))
}

fn message() -> Post {
    let message = json!({"channel": "sms", "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": "33639980001",
        "from": "33611111111", "timestamp": "2026-05-01T10:20:00Z", "text": "the code", "message_type": "text"});
    Post::json(&message, now())
}

fn claims(post: &Post, at: i64) -> Value {
    let hash = HEXLOWER.encode(digest::digest(&digest::SHA256, &post.body).as_ref());
    json!({"iat": at, "jti": "1", "iss": "Vonage", "payload_hash": hash, "api_key": "a1b2c3d"})
}

#[tokio::test]
async fn a_token_proves_the_very_body() {
    let head = json!({"alg": "HS256", "typ": "JWT"});
    let post = message();
    let with = |header: String| post.clone().with("authorization", &header);
    let own = token(&head, &claims(&post, NOW), "secret");
    let (touches, _) = with(own.clone()).to("vonage", KEYS).await.expect("it is taken");
    assert_eq!(told(&touches), [(vec!["+33639980001".to_owned()], "the code".to_owned())]);
    assert_eq!(touches[0].at.to_string(), "2026-05-01T10:20:00Z");

    let wrong = Some(Refusal::Unproven("wrong_signature"));
    let none = json!({"alg": "none", "typ": "JWT"});
    for header in [
        token(&head, &claims(&post, NOW), "other"),
        token(&none, &claims(&post, NOW), "secret"),
        own[..own.len() - 2].to_owned(),
        own.rsplit_once('.').unwrap().0.to_owned() + ".",
        token(&head, &json!({"iat": NOW}), "secret"),
        "Bearer x".to_owned(),
    ] {
        assert_eq!(with(header.clone()).to("vonage", KEYS).await.err(), wrong, "{header}");
    }
    let mut other = with(own);
    *other.body.last_mut().unwrap() = b' ';
    other.body.push(b'}');
    assert_eq!(other.to("vonage", KEYS).await.err(), wrong, "another body under the same token");
    let old = token(&head, &claims(&post, NOW - 301), "secret");
    assert_eq!(with(old).to("vonage", KEYS).await.err(), Some(Refusal::Unproven("stale")));
}

#[tokio::test]
async fn fields_are_signed_in_the_account_s_own_way() {
    let at = NOW.to_string();
    let fields = [
        ("messageId", "0A"),
        ("msisdn", "33611111111"),
        ("text", "a & b=c"),
        ("timestamp", &at),
        ("to", "33639980001"),
    ];
    let signed: String =
        fields.iter().map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_"))).collect();
    let of = |algorithm, key: &str| {
        hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), signed.as_bytes()).as_ref().to_vec()
    };
    let md5 = <md5::Md5 as md5::Digest>::digest(format!("{signed}secret").as_bytes()).to_vec();
    for (method, code) in [
        ("sha256", of(hmac::HMAC_SHA256, "secret")),
        ("sha1", of(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, "secret")),
        ("sha512", of(hmac::HMAC_SHA512, "secret")),
        ("md5hash", md5),
    ] {
        let keys = format!("{KEYS}\nmethod = '{method}'");
        for sig in [HEXUPPER.encode(&code), HEXLOWER.encode(&code)] {
            let all = [fields.as_slice(), &[("sig", &sig)]].concat();
            let (touches, _) = Post::form(&all, now()).to("vonage", &keys).await.expect(method);
            assert_eq!(told(&touches)[0].1, "a & b=c");
            // In the address it is the same.
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&all).finish();
            assert!(Post { query, now: now(), ..Post::default() }.to("vonage", &keys).await.is_ok());
            let later = Post { now: now() + jiff::SignedDuration::from_secs(301), ..Post::form(&all, now()) };
            assert_eq!(later.to("vonage", &keys).await.err(), Some(Refusal::Unproven("stale")));
            let mut changed = all.clone();
            changed[4].1 = "33639980002";
            assert_eq!(
                Post::form(&changed, now()).to("vonage", &keys).await.err(),
                Some(Refusal::Unproven("wrong_signature"))
            );
        }
    }
    let unsigned = Post::form(&fields, now()).to("vonage", KEYS).await.err();
    assert_eq!(unsigned, Some(Refusal::Unproven("wrong_signature")));
}
