//! The decoy that asks for HTTP Basic, over real HTTP.

use crate::sensors::observer::{Watching, exchange, presented};
use std::sync::atomic::Ordering::SeqCst;
use telltale::domain::sighting::Class;

const KEYS: &str = "listen = '127.0.0.1:0'\nrealm = 'Espace \"RH\"'\nserver = 'Apache/2.4.62 (Debian)'";

#[tokio::test]
async fn whoever_is_there_gets_the_same_refusal() {
    let basic = Watching::start("basic", KEYS).await;
    let client = reqwest::Client::new();
    let ask = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        let mut headers = answer.headers().clone();
        headers.remove("date");
        (answer.status().as_u16(), format!("{headers:?}"), answer.text().await.unwrap())
    };
    let asked = ask(client.get(basic.url("/paie/bulletins.pdf"))).await;
    assert_eq!(asked.0, 401);
    assert!(asked.1.contains(r#"Basic realm=\"Espace RH\""#) && asked.2.contains("Apache/2.4.62"), "{asked:?}");
    assert!(basic.recorder.touches().is_empty());
    let given = client.post(basic.url("/paie")).basic_auth("ACME\\c.moreau", Some("s:ecret")).body("x".repeat(70_000));
    assert_eq!(ask(given).await, asked);
    let touches = basic.recorder.touches();
    assert_eq!((touches.len(), touches[0].class, touches[0].service.as_str()), (1, Class::Login, "basic"));
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    let expected = [pair("username", "ACME\\c.moreau"), pair("username", "c.moreau"), pair("password", "s:ecret")];
    assert_eq!(presented(&touches[0]), expected);
    assert!(touches[0].evidence.starts_with(b"POST /paie HTTP/1.1\r\n"));
    // A full disk changes nothing.
    basic.recorder.failing.store(true, SeqCst);
    assert_eq!(ask(client.get(basic.url("/")).basic_auth("x", Some("y"))).await, asked);
    assert_eq!(basic.recorder.refused("not_durable"), 1);
    assert_eq!(ask(client.get(basic.url("/")).header("authorization", "Basic ?")).await, asked);
    assert_eq!(basic.recorder.refused("unreadable_credentials"), 1);
}

#[tokio::test]
async fn noise_is_no_request() {
    let basic = Watching::start("basic", KEYS).await;
    assert!(exchange(basic.address(), b"\x16\x03\x01\x02\x00\x01").await.starts_with(b"HTTP/1.1 400"));
    assert!(basic.recorder.touches().is_empty());
}
