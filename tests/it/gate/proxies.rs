//! The verifier as each proxy asks it: with what their manuals say they send (Traefik's ForwardAuth, Envoy's ext_authz over
//! HTTP); and that nobody learns from its answer whether a name is a canary's.

use super::{endpoint, login, planted, verifier};
use crate::support::{inbox::Inbox, serving::client};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_proxys_way_of_asking_is_understood() {
    let (_inbox, site) = planted().await;
    let canaries = site.canaries("export").await;
    let endpoint = endpoint(&site).await;
    let inbox = Inbox::start().await;
    let gate = verifier(&endpoint, &format!("http://{}/", inbox.address), &[]).await;
    let url = |path: &str| format!("http://{}{path}", gate.address("gate"));
    let logins: Vec<(String, String)> = canaries.iter().map(login).collect();

    // Traefik: a GET with the visitor's own headers; with `forwardBody`, the form as well.
    let traefik = |request: reqwest::RequestBuilder| {
        let forwarded = [
            ("method", "POST"),
            ("proto", "https"),
            ("host", "vpn.example.org"),
            ("uri", "/login"),
            ("for", "198.51.100.1"),
        ];
        forwarded.iter().fold(request, |request, (name, value)| request.header(format!("x-forwarded-{name}"), *value))
    };
    let form = |login: &(String, String)| {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("username", &login.0)
            .append_pair("password", &login.1)
            .finish()
    };
    let basic =
        traefik(client().get(url("/"))).basic_auth(&logins[0].0, Some(&logins[0].1)).header("user-agent", "curl/8.5");
    assert_eq!(basic.send().await.unwrap().status(), 200);
    let posted = traefik(client().get(url("/")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(&logins[1]));
    assert_eq!(posted.send().await.unwrap().status(), 200);
    // Envoy: the visitor's method and path behind the prefix, and with `with_request_body` the body.
    let envoy = client().post(url("/gate/api/session?next=%2F")).header("x-forwarded-for", "198.51.100.2");
    let envoy = envoy.header("x-envoy-internal", "true").header("content-type", "application/json");
    let envoy = envoy.body(json!({"login": logins[2].0, "password": logins[2].1}).to_string());
    assert_eq!(envoy.send().await.unwrap().status(), 200);
    let bare =
        client().head(url("/")).header("x-forwarded-for", "198.51.100.3").basic_auth(&logins[3].0, Some(&logins[3].1));
    assert_eq!(bare.send().await.unwrap().status(), 200);

    let until = Instant::now() + Duration::from_secs(60);
    let told = || -> Vec<Value> {
        let bodies =
            inbox.at("/api/v1/logins").into_iter().map(|received| String::from_utf8(received.body.to_vec()).unwrap());
        bodies
            .flat_map(|body| body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
            .collect()
    };
    while told().len() < 4 {
        assert!(Instant::now() < until, "{:?}", told());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let key = gate::GateKey::read(&endpoint.path("vpn.key")).unwrap();
    let sources = ["198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.3"];
    for (at, (told, source)) in told().iter().zip(sources).enumerate() {
        assert_eq!((&told["username"], &told["source_ip"]), (&json!(logins[at].0), &json!(source)), "{told}");
        assert_eq!(told["password_hmac"], key.password_hmac(&logins[at].1));
    }
    assert_eq!(told()[0]["user_agent"], "curl/8.5");
    // Only a declared proxy names the visitor.
    gate.terminate().await;
    let gate = verifier(&endpoint, &format!("http://{}/", inbox.address), &["--trusted-proxies", "10.0.0.0/8"]).await;
    let claimed = client().get(format!("http://{}/", gate.address("gate"))).header("x-forwarded-for", "198.51.100.9");
    claimed.basic_auth(&logins[4].0, Some("x")).send().await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while told().len() < 5 {
        assert!(Instant::now() < until, "{:?}", told());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(told()[4]["source_ip"], "127.0.0.1");
}

/// Everything that comes back, the date aside.
async fn answer(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    text.lines().filter(|line| !line.starts_with("date:")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_and_a_stranger_get_the_same_bytes() {
    let (_inbox, site) = planted().await;
    let canaries = site.canaries("export").await;
    let endpoint = endpoint(&site).await;
    // The service is away, and then it refuses: neither is told either.
    let gate = verifier(&endpoint, "http://127.0.0.1:9/", &[]).await;
    let address = gate.address("gate");
    let basic = |name: &str| {
        let credentials = data_encoding::BASE64.encode(format!("{name}:Printemps2026").as_bytes());
        format!("GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Basic {credentials}\r\n\r\n")
    };
    let form = |name: &str| {
        let body = format!("username={name}&password=x");
        let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded";
        format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let wanted = answer(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(wanted.starts_with("HTTP/1.1 200 OK\n") && wanted.contains("content-length: 0"), "{wanted}");
    for canary in &canaries {
        let (name, _) = login(canary);
        for request in [basic(&name), form(&name), basic("leamartin7"), form("leamartin7"), form("%ff%00"), basic("")] {
            assert_eq!(answer(address, &request).await, wanted, "{request}");
        }
    }
    // A body that is announced and does not come holds a login up for a moment only.
    let began = Instant::now();
    let dribbling = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 40\r\n\r\nusername=";
    assert_eq!(answer(address, dribbling).await, wanted);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
