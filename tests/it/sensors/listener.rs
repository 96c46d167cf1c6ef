//! What every listener bears: TLS, many connections, slow bodies, proxies; shown on the decoys that use it.

use crate::sensors::{
    mail_clients::certify,
    observer::{Watching, build, exchange},
    smtp::KEYS,
};
use std::time::{Duration, Instant};
use telltale::{
    domain::{secret::with_literals, section::Section},
    sensors,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn https_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = certify(folder.path());
    let place = |name: &str| folder.path().join(name).display().to_string();
    let keys = format!("listen = '127.0.0.1:0'\ntls_cert = '{}'\ntls_key = '{}'", place("cert.pem"), place("key.pem"));
    let portal = Watching::start("portal", &keys).await;
    let root = reqwest::Certificate::from_der(&certificate).expect("a certificate");
    let client = reqwest::Client::builder().tls_certs_only([root]).build().expect("a client");
    let url = format!("https://127.0.0.1:{}/", portal.address().port());
    let answer = client.get(&url).basic_auth("a", Some("b")).send().await.expect("an answer");
    assert_eq!(answer.status(), 401);
    assert_eq!(portal.recorder.touches().len(), 1);
    let in_clear = exchange(portal.address(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!in_clear.starts_with(b"HTTP"), "answered in clear");
    assert_eq!(portal.recorder.refused("tls_handshake_failed"), 1);
}

#[tokio::test]
async fn one_address_gets_its_share_and_no_more() {
    let portal = Watching::start("portal", "listen = '127.0.0.1:0'").await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(TcpStream::connect(portal.address()).await.expect("connects"));
    }
    let mut surplus = TcpStream::connect(portal.address()).await.expect("connects");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), surplus.read_to_end(&mut rest)).await;
    assert!(closed.is_ok() && rest.is_empty(), "the 257th connection is closed at once");
    assert_eq!(portal.recorder.refused("too_many_connections_of_one_address"), 1);
    drop(held);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(reqwest::get(portal.url("/")).await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_body_that_dribbles_is_answered_within_ten_seconds() {
    let portal = Watching::start("portal", "listen = '127.0.0.1:0'").await;
    let mut stream = TcpStream::connect(portal.address()).await.expect("connects");
    let head = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nusername=";
    stream.write_all(head).await.expect("sent");
    let began = Instant::now();
    let (mut input, mut output) = stream.split();
    let dribble = async {
        while output.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = input.read_to_end(&mut answer) => {}
        () = dribble => {}
    }
    let took = began.elapsed();
    assert!((7..10).contains(&took.as_secs()), "{took:?}");
    assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(portal.recorder.refused("unreadable_body"), 1);
}

#[tokio::test]
async fn a_mail_proxy_names_the_source() {
    let dialogue = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@courriel.example.org>\r\nRSET\r\nQUIT\r\n";
    let with_line = format!("PROXY TCP4 203.0.113.8 127.0.0.1 5 25\r\n{dialogue}");
    let trusting = Watching::start("smtp", &format!("{KEYS}\ntrusted_proxies = ['127.0.0.1']")).await;
    assert!(exchange(trusting.address(), with_line.as_bytes()).await.starts_with(b"220 "));
    let touches = trusting.recorder.wait_for(1).await;
    assert_eq!(touches[0].source_ip, Some("203.0.113.8".parse().expect("an address")));
    let wary = Watching::start("smtp", KEYS).await;
    exchange(wary.address(), with_line.as_bytes()).await;
    let touches = wary.recorder.wait_for(1).await;
    assert_eq!(touches[0].source_ip, Some("127.0.0.1".parse().expect("an address")));
}

#[tokio::test]
async fn every_sensor_names_a_key_that_it_does_not_know() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for entry in sensors::ALL {
        let mut keys = toml::Table::new();
        keys.insert("nonsense".into(), true.into());
        if matches!(entry.kind, "portal" | "beacon" | "smtp" | "imap" | "ftp" | "ldap" | "ssh" | "basic") {
            keys.insert("listen".into(), "127.0.0.1:0".into());
        }
        let section = Section { name: entry.kind.into(), keys, folder: ".".into() };
        let error = with_literals(false, || (entry.build)(&section)).err().expect("an unknown key");
        assert!(error.to_string().contains("nonsense"), "{}: {error}", entry.kind);
    }
    assert!(build("smtp", KEYS).probe().await.is_ok());
}

#[tokio::test]
async fn a_port_that_is_not_ours_to_take_is_explained() {
    let error = build("beacon", "listen = '192.0.2.1:8702'").probe().await.expect_err("not our address");
    assert!(error.to_string().contains("0.0.0.0:8702"), "{error}");
}
