//! The decoy login page, over real HTTP.

use crate::sensors::observer::{Watching, exchange, presented};
use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};
use telltale::domain::sighting::Class;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const KEYS: &str = "listen = '127.0.0.1:0'\norganisation = 'Mairie de Saint-Aubin'";

async fn portal() -> Watching {
    Watching::start("portal", KEYS).await
}

async fn post(portal: &Watching, body: &str) -> reqwest::Response {
    reqwest::Client::new()
        .post(portal.url("/login"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.to_owned())
        .send()
        .await
        .expect("an answer")
}

#[tokio::test]
async fn a_login_is_reported_and_fails() {
    let portal = portal().await;
    let page = reqwest::get(portal.url("/")).await.expect("an answer");
    assert_eq!(page.status(), 200);
    assert!(page.text().await.expect("text").contains("Mairie de Saint-Aubin"));
    assert!(portal.recorder.touches().is_empty());

    let answer = post(&portal, "username=c.durand%40courriel.example.org&password=p%26w").await;
    assert_eq!(answer.status(), 401);
    assert!(answer.text().await.expect("text").contains("incorrect"));
    let touches = portal.recorder.touches();
    assert_eq!(touches.len(), 1);
    let touch = &touches[0];
    assert_eq!((touch.class, touch.service.as_str(), touch.sensor.as_str()), (Class::Login, "portal", "portal"));
    assert_eq!(touch.source_ip, Some("127.0.0.1".parse().expect("an address")));
    assert_eq!(touch.reporter, "127.0.0.1");
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    assert_eq!(
        presented(touch),
        [
            pair("username", "c.durand@courriel.example.org"),
            pair("work_email", "c.durand@courriel.example.org"),
            pair("password", "p&w")
        ]
    );
    let evidence = String::from_utf8_lossy(&touch.evidence);
    assert!(evidence.starts_with("POST /login HTTP/1.1") && evidence.contains("password=p%26w"), "{evidence}");
}

#[tokio::test]
async fn http_basic_is_reported_on_every_path() {
    let portal = portal().await;
    let client = reqwest::Client::new();
    for path in ["/", "/dav/rh/", "/a?b=c"] {
        let answer = client.get(portal.url(path)).basic_auth("jdoe", Some("s:e")).send().await.expect("an answer");
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"Intranet\", charset=\"UTF-8\"");
    }
    let touches = portal.recorder.touches();
    assert_eq!(touches.len(), 3);
    assert_eq!(presented(&touches[2])[1], ("password".to_owned(), "s:e".to_owned()));
}

#[tokio::test]
async fn every_attempt_is_answered_with_the_same_bytes() {
    let portal = portal().await;
    let attempt = |name: &str, password: &str| {
        let body = format!("username={name}&password={password}");
        let head = "POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let without_date = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect::<Vec<_>>()
    };
    let canary = without_date(exchange(portal.address(), &attempt("claire.durand", "Xk4-plum")).await);
    let stranger = without_date(exchange(portal.address(), &attempt("nobody", "1234")).await);
    let huge = without_date(exchange(portal.address(), &attempt(&"a".repeat(100_000), "x")).await);
    portal.recorder.failing.store(true, SeqCst);
    let unstored = without_date(exchange(portal.address(), &attempt("claire.durand", "Xk4-plum")).await);
    assert!(canary[0].contains("401"), "{canary:?}");
    assert_eq!(canary, stranger);
    assert_eq!(canary, unstored);
    assert_eq!(canary, huge);
    assert_eq!(portal.recorder.refused("not_durable"), 1);
    assert_eq!(portal.recorder.refused("body_too_large"), 1);
}

#[tokio::test]
async fn the_answer_waits_for_the_report() {
    let portal = portal().await;
    portal.recorder.stalled.store(true, SeqCst);
    let waiting = tokio::time::timeout(Duration::from_millis(400), post(&portal, "username=a&password=b")).await;
    assert!(waiting.is_err(), "answered before the report was durable");
    portal.recorder.stalled.store(false, SeqCst);
    assert_eq!(post(&portal, "username=a&password=b").await.status(), 401);
}

#[tokio::test]
async fn bad_input_is_refused_and_counted() {
    let portal = portal().await;
    let huge = post(&portal, &format!("username={}&password=x", "a".repeat(10 * 1024 * 1024))).await;
    assert_eq!(huge.status(), 401);
    assert_eq!(portal.recorder.refused("body_too_large"), 1);
    assert_eq!(post(&portal, "").await.status(), 401);
    assert_eq!(portal.recorder.refused("no_credentials"), 1);
    assert_eq!(post(&portal, "username=%ff%fe&password=%00").await.status(), 401);
    assert_eq!(portal.recorder.touches().len(), 1);
    let garbage = b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nusername=a\r\n0\r\n\r\n";
    let answer = exchange(portal.address(), garbage).await;
    assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(portal.recorder.refused("unreadable_body"), 1);
    assert_eq!(post(&portal, "username=a&password=b").await.status(), 401);
}

#[tokio::test]
async fn no_request_is_smuggled_in_behind_an_ambiguous_length() {
    let portal = portal().await;
    let second = "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n\r\n";
    let table = [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 90\r\n\r\n",
        "Content-Length: 0, 90\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0;x=\n\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        " folded: x\r\nContent-Length: 0\r\n\r\n",
    ];
    for ambiguous in table {
        let bytes = format!("POST / HTTP/1.1\r\nHost: x\r\n{ambiguous}{second}");
        exchange(portal.address(), bytes.as_bytes()).await;
        assert!(portal.recorder.touches().is_empty(), "{ambiguous:?} let a second request in");
    }
    exchange(portal.address(), format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n{second}").as_bytes())
        .await;
    assert_eq!(portal.recorder.touches().len(), 1, "an honest second request is answered");
}

#[tokio::test]
async fn a_forged_forwarding_header_changes_nothing() {
    let portal = portal().await;
    let forged = b"POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8\r\nX-Real-IP: 8.8.8.8\r\nAuthorization: Basic YTpi\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    exchange(portal.address(), forged).await;
    let proxied = [b"PROXY TCP4 8.8.8.8 127.0.0.1 5 80\r\n".as_slice(), forged].concat();
    assert!(exchange(portal.address(), &proxied).await.starts_with(b"HTTP/1.1 400"));
    let touches = portal.recorder.touches();
    assert_eq!(touches.len(), 1);
    assert_eq!(touches[0].source_ip, Some("127.0.0.1".parse().expect("an address")));
    assert!(String::from_utf8_lossy(&touches[0].evidence).contains("x-forwarded-for: 8.8.8.8"), "kept as a claim");
}

#[tokio::test]
async fn a_trusted_proxy_names_the_source() {
    let portal = Watching::start("portal", &format!("{KEYS}\ntrusted_proxies = ['127.0.0.0/8']")).await;
    let login = "Authorization: Basic YTpi\r\nConnection: close\r\n\r\n";
    let forwarded = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1, 203.0.113.9, 127.0.0.1\r\n{login}");
    exchange(portal.address(), forwarded.as_bytes()).await;
    let line = format!("PROXY TCP4 203.0.113.8 127.0.0.1 5 80\r\nGET / HTTP/1.1\r\nHost: x\r\n{login}");
    exchange(portal.address(), line.as_bytes()).await;
    let touches = portal.recorder.touches();
    assert_eq!(touches.len(), 2);
    assert_eq!(touches[0].source_ip, Some("203.0.113.9".parse().expect("an address")));
    assert_eq!(touches[1].source_ip, Some("203.0.113.8".parse().expect("an address")));
    assert_eq!(touches[1].reporter, "127.0.0.1");
}

#[tokio::test]
async fn dribbling_and_silent_clients_are_closed() {
    let portal = portal().await;
    let address = portal.address();
    let began = Instant::now();
    let clients = (0..50).map(|number| async move {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        if number % 2 == 0 {
            stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n").await.expect("sent");
        }
        let (mut input, mut output) = stream.split();
        let dribble = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if number % 2 == 0 && output.write_all(b"x").await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut rest = Vec::new();
        tokio::select! {
            _ = input.read_to_end(&mut rest) => {}
            () = dribble => {}
        }
    });
    let all = tokio::time::timeout(Duration::from_secs(14), futures_util::future::join_all(clients));
    let honest = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        post(&portal, "username=a&password=b").await.status()
    };
    let (all, honest) = tokio::join!(all, honest);
    assert!(all.is_ok(), "still open after 14 s");
    assert!(began.elapsed() > Duration::from_secs(7), "closed too early");
    assert_eq!(honest, 401);
    assert_eq!(portal.recorder.refused("silent_connection"), 25);
}

#[tokio::test]
async fn it_stops_when_told_to() {
    let mut portal = portal().await;
    let address = portal.address();
    let idle = TcpStream::connect(address).await.expect("connects");
    portal.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(8), &mut portal.running.task).await.expect("in time");
    ended.expect("no panic").expect("no error");
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_so() {
    let portal = portal().await;
    let second = crate::sensors::observer::build("portal", &format!("listen = '{}'", portal.address()));
    let error = second.probe().await.expect_err("taken");
    assert!(error.to_string().contains("another program listens there"), "{error}");
}
