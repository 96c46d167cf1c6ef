//! Twilio's posts, by the signatures that its documentation publishes.

use crate::sensors::{
    observer::build,
    posts::{Post, now, told},
};
use telltale::sensors::inbound::Refusal;

const KEYS: &str = "url = 'https://mycompany.com/myapp.php?foo=1&bar=2'\nauth_token = '12345'";
const CALL: [(&str, &str); 5] = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+12349013030"),
    ("Digits", "1234"),
    ("From", "+12349013030"),
    ("To", "+18005551212"),
];
const SIGNATURE: &str = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";

fn call(signature: &str) -> Post {
    Post::form(&CALL, now()).with("x-twilio-signature", signature)
}

#[tokio::test]
async fn the_published_signature_is_right() {
    let (touches, _) = call(SIGNATURE).to("twilio", KEYS).await.expect("it is taken");
    assert_eq!(told(&touches), [(vec!["+18005551212".to_owned()], String::new())]);
    assert_eq!((touches[0].service.as_str(), touches[0].presented[0].hint.unwrap().as_str()), ("call", "phone"));
    assert!(touches[0].evidence.starts_with(b"MAIL FROM:<+12349013030>\r\nRCPT TO:<+18005551212>\r\n\r\n"));
    // The other spelling of the same address.
    let ported = KEYS.replace("mycompany.com", "mycompany.com:443");
    assert!(call(SIGNATURE).to("twilio", &ported).await.is_ok());
}

#[tokio::test]
async fn anything_else_is_not_taken() {
    let wrong = Some(Refusal::Unproven("wrong_signature"));
    for signature in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "0/KCTR6DLpKmkAf8muzZqo1nDg==", "x"] {
        assert_eq!(call(signature).to("twilio", KEYS).await.err(), wrong, "{signature}");
    }
    let other = KEYS.replace("12345", "12346");
    assert_eq!(call(SIGNATURE).to("twilio", &other).await.err(), wrong);
    let elsewhere = KEYS.replace("foo=1", "foo=2");
    assert_eq!(call(SIGNATURE).to("twilio", &elsewhere).await.err(), wrong);
    let mut more = CALL.to_vec();
    more[4].1 = "+18005551213";
    let changed = Post::form(&more, now()).with("x-twilio-signature", SIGNATURE);
    assert_eq!(changed.to("twilio", KEYS).await.err(), wrong);
}

#[tokio::test]
async fn a_message_is_read_and_answered_in_its_own_language() {
    let fields = [
        ("AccountSid", "AC1"),
        ("Body", "your code is 1"),
        ("From", "+33611111111"),
        ("MessageSid", "SM1"),
        ("To", "+33639980001"),
    ];
    let mut signed = "https://in.example.org/api/v1/sms".to_owned();
    fields.iter().for_each(|(name, value)| signed.push_str(&format!("{name}{value}")));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"word");
    let signature = data_encoding::BASE64.encode(ring::hmac::sign(&key, signed.as_bytes()).as_ref());
    let keys = "url = 'https://in.example.org/api/v1/sms'\nauth_token = 'word'";
    let post = Post::form(&fields, now()).with("x-twilio-signature", &signature);
    let (touches, one) = post.to("twilio", keys).await.expect("it is taken");
    assert_eq!(told(&touches), [(vec!["+33639980001".to_owned()], "your code is 1".to_owned())]);
    assert_eq!(touches[0].service, "sms");
    assert_eq!(post.to("twilio", keys).await.expect("taken").1, one);
    drop(build("twilio", keys));
}
