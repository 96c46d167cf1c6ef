//! What no honest visitor sends, at every door of a running service: too much, too long, no text at all, too often. It is
//! refused in words or counted, in bounded memory; what comes behind it is served, and a canary in the crowd is seen.

use crate::support::{
    inbox::Inbox,
    people::DOMAIN,
    service::{Site, marker},
    serving::{Serving, client},
    traffic::{log_in, write_mail},
};
use serde_json::Value;
use std::{net::Ipv4Addr, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

const MIB: usize = 1024 * 1024;
/// By so much at most the service may grow while it is sent ten times as much.
const ROOM: usize = 48 * MIB;

struct Scene {
    _inbox: Inbox,
    site: Site,
    serving: Serving,
    admin: String,
    canaries: Vec<Value>,
}

async fn scene() -> Scene {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let admin = site.init().await;
    site.run("plant payroll --count 5 --json").await.ends(0);
    let canaries = site.canaries("payroll").await;
    let serving = site.serve().await;
    serving.settled().await;
    Scene { _inbox: inbox, site, serving, admin, canaries }
}

impl Scene {
    /// One series of /metrics; 0 where it is not there yet.
    async fn counted(&self, series: &str) -> u64 {
        let text = client().get(self.serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().unwrap())
    }

    async fn refused(&self, sensor: &str, reason: &str) -> u64 {
        self.counted(&format!("telltale_refused_total{{sensor=\"{sensor}\",reason=\"{reason}\"}}")).await
    }

    async fn sighted(&self, sensor: &str) -> u64 {
        self.counted(&format!("telltale_sightings_total{{sensor=\"{sensor}\"}}")).await
    }

    async fn strangers(&self, sensor: &str) -> u64 {
        self.counted(&format!("telltale_strangers_total{{sensor=\"{sensor}\"}}")).await
    }

    async fn post_logins(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = client().post(self.serving.api("/api/v1/logins")).bearer_auth(&self.admin).body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The most memory that the service ever held.
    fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.serving.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// The service never fell over, and what it acknowledged stands in its journal.
    async fn stands(self) {
        let (status, said) = self.serving.terminate().await;
        assert!(status.success() && !said.iter().any(|line| line.contains("panicked")), "{status}: {said:?}");
        let verified = self.site.run("evidence verify --json").await.ends(0).json();
        assert_eq!(verified["faults"], serde_json::json!([]));
    }
}

/// An SMTP connection that greeted.
async fn greeted(scene: &Scene) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(scene.serving.address("mx")).await.unwrap());
    assert_eq!(reply(&mut stream).await[..3], *"220");
    assert_eq!(say(&mut stream, b"EHLO client.example.net\r\n").await[..3], *"250");
    stream
}

async fn reply(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "hung up");
        if line.as_bytes()[3] == b' ' {
            return line.trim_end().to_owned();
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    reply(stream).await
}

async fn sent(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may hang up before it was told all.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_a_hundred_megabytes_is_refused_and_the_next_one_taken() {
    let scene = scene().await;
    let alias = marker(&scene.canaries[0], "work_email");
    let mut stream = greeted(&scene).await;
    assert_eq!(say(&mut stream, b"MAIL FROM:<a@example.net> SIZE=100000000\r\n").await, "552 5.3.4 message too large");
    let before = scene.memory();
    assert_eq!(say(&mut stream, b"MAIL FROM:<a@example.net>\r\n").await[..3], *"250");
    assert_eq!(say(&mut stream, format!("RCPT TO:<{alias}>\r\n").as_bytes()).await[..3], *"250");
    assert_eq!(say(&mut stream, b"DATA\r\n").await[..3], *"354");
    let piece = b"Bonjour, ceci est une ligne parmi bien d'autres.\r\n".repeat(MIB / 50);
    for _ in 0..=100_000_000 / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    assert_eq!(say(&mut stream, b".\r\n").await, "552 5.3.4 message too large");
    let grown = scene.memory() - before;
    assert!(grown < ROOM, "it grew by {grown} bytes");
    assert_eq!(scene.refused("mx", "mail_too_large").await, 2);
    assert_eq!(scene.sighted("mx").await, 1, "the alias was tried, whatever the mail was");

    assert_eq!(say(&mut stream, b"MAIL FROM:<a@example.net>\r\n").await[..3], *"250");
    assert_eq!(say(&mut stream, format!("RCPT TO:<{alias}>\r\n").as_bytes()).await[..3], *"250");
    assert_eq!(say(&mut stream, b"DATA\r\n").await[..3], *"354");
    assert_eq!(say(&mut stream, b"Subject: court\r\n\r\nBonjour.\r\n.\r\n").await, "250 2.0.0 queued");
    assert_eq!(scene.sighted("mx").await, 2);
    scene.stands().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_ten_megabytes_is_bounded_at_every_door() {
    let scene = scene().await;
    let (portal, client) = (scene.serving.address("portal"), client());
    let name = "a".repeat(10 * MIB);
    let before = scene.memory();
    for round in 1..=3 {
        assert_eq!(log_in(&client, portal, Ipv4Addr::new(192, 0, 2, 1), &name, "x").await.unwrap(), 401);
        assert_eq!(scene.refused("portal", "body_too_large").await, round);
        let basic = format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {name}\r\n\r\n");
        let answer = sent(portal, basic.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(scene.strangers("portal").await, 0, "what was not read is no login");
    let event = format!(r#"{{"username":"{name}","source_ip":"192.0.2.1","outcome":"failure"}}"#);
    let (status, said) = scene.post_logins(event).await;
    assert_eq!((status, &said["accepted"]), (202, &1.into()), "{said}");
    assert_eq!(scene.strangers("logins").await, 1);
    let (status, said) = scene.post_logins("a".repeat(65 * MIB)).await;
    assert_eq!((status, &said["status"]), (413, &413.into()), "{said}");
    let grown = scene.memory() - before;
    assert!(grown < 3 * ROOM, "it grew by {grown} bytes");
    scene.stands().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_refused_or_counted() {
    let scene = scene().await;
    let user = marker(&scene.canaries[0], "username");
    let portal = scene.serving.address("portal");
    let mut body = b"username=\xff\xfe&password=\xc3(".to_vec();
    for (round, kind) in ["application/x-www-form-urlencoded", "application/json", "text/\u{ff}"].iter().enumerate() {
        let head = format!(
            "POST /\u{fffd} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = sent(portal, &[head.replace('\u{fffd}', "%ff%fe").as_bytes(), &body].concat()).await;
        assert!(answer.starts_with(b"HTTP/1.1 401 "), "{round}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!((scene.strangers("portal").await, scene.refused("portal", "no_credentials").await), (2, 1));
    body.truncate(11);
    let known = format!(r#"{{"username":"{user}","source_ip":"192.0.2.1","outcome":"success"}}"#);
    assert_eq!(scene.post_logins(body.clone()).await.0, 422);
    let (status, said) = scene.post_logins([&body, b"\n".as_slice(), known.as_bytes()].concat()).await;
    assert_eq!((status, &said["accepted"]), (202, &1.into()));
    assert_eq!((&said["refused"][0]["line"], &said["refused"][0]["why"]), (&1.into(), &"expected UTF-8".into()));
    assert_eq!(scene.sighted("logins").await, 1, "a good line behind a bad one counts");

    let mut stream = greeted(&scene).await;
    assert_eq!(say(&mut stream, b"\xff\xfe\x80\r\n").await[..1], *"5");
    let sender = say(&mut stream, b"MAIL FROM:<\xff\xfe@example.net>\r\n").await;
    if !sender.starts_with("250") {
        assert_eq!(say(&mut stream, b"MAIL FROM:<a@example.net>\r\n").await[..3], *"250", "after {sender}");
    }
    let recipient = say(&mut stream, format!("RCPT TO:<\u{e9}@{DOMAIN}>\r\n").as_bytes()).await;
    assert!(recipient.starts_with(['2', '5']), "{recipient}");
    let strange = [b"RCPT TO:<\xff\xfe@".as_slice(), DOMAIN.as_bytes(), b">\r\n"].concat();
    assert!(say(&mut stream, &strange).await.starts_with(['2', '5']));
    let alias = marker(&scene.canaries[0], "work_email");
    assert_eq!(say(&mut stream, format!("RCPT TO:<{alias}>\r\n").as_bytes()).await[..3], *"250");
    assert_eq!(say(&mut stream, b"DATA\r\n").await[..3], *"354");
    let mail = b"Subject: \xff\xfe\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3(\x80\0\r\n.\r\n";
    assert_eq!(say(&mut stream, mail).await, "250 2.0.0 queued");
    assert_eq!(scene.sighted("mx").await, 1);

    let links = scene.serving.address("links");
    for (path, wanted) in [(b"/rh/%ff%fe%c3%28abcdefgh".as_slice(), 200), (b"/rh/\xff\xfe\x80abcdefgh", 400)] {
        let answer = sent(links, &[b"GET ", path, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"].concat()).await;
        let said = String::from_utf8_lossy(&answer);
        assert!(said.starts_with("HTTP/1.1 200 ") || said.starts_with(&format!("HTTP/1.1 {wanted} ")), "{said}");
    }
    scene.stands().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_seen_in_a_flood_of_logins() {
    const VISITORS: u8 = 48;
    const EACH: u8 = 40;
    const BATCH: usize = 2_000;
    let scene = Arc::new(scene().await);
    let user = marker(&scene.canaries[0], "username");
    let mut flood = JoinSet::new();
    for visitor in 0..VISITORS {
        let (scene, user, client) = (scene.clone(), user.clone(), client());
        flood.spawn(async move {
            let portal = scene.serving.address("portal");
            for round in 0..EACH {
                let known = visitor == VISITORS / 2 && round == EACH / 2;
                let name = if known { user.clone() } else { format!("nobody.{visitor}.{round}") };
                let from = Ipv4Addr::new(10, 7, visitor, round);
                assert_eq!(log_in(&client, portal, from, &name, "x").await.unwrap(), 401);
            }
            0
        });
    }
    for batch in 0..8 {
        let scene = scene.clone();
        flood.spawn(async move {
            let line = |number| format!("{{\"username\":\"n.{batch}.{number}\",\"outcome\":\"failure\"}}\n");
            let lines: String = (0..BATCH).map(line).collect();
            // A sender that is told to come back later does.
            for _ in 0..50 {
                let request = client().post(scene.serving.api("/api/v1/logins")).bearer_auth(&scene.admin);
                let response = request.body(lines.clone()).send().await.unwrap();
                if response.status() == 202 {
                    assert_eq!(response.json::<Value>().await.unwrap()["accepted"], BATCH);
                    return BATCH as u64;
                }
                assert!(matches!(response.status().as_u16(), 429 | 503), "{}", response.status());
                assert!(response.headers().contains_key("retry-after"));
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            panic!("not taken in 50 attempts");
        });
    }
    let accepted: u64 = flood.join_all().await.into_iter().sum();
    assert_eq!(scene.refused("portal", "not_durable").await, 0);
    assert_eq!(scene.sighted("portal").await, 1);
    assert_eq!(scene.strangers("portal").await, u64::from(VISITORS) * u64::from(EACH) - 1);
    assert_eq!((accepted, scene.strangers("logins").await), (8 * BATCH as u64, 8 * BATCH as u64));
    let alias = marker(&scene.canaries[1], "work_email");
    assert_eq!(write_mail(scene.serving.address("mx"), Ipv4Addr::new(10, 8, 0, 1), &alias).await.unwrap(), 250);
    assert_eq!(scene.sighted("mx").await, 1);
    let scene = Arc::into_inner(scene).unwrap();
    scene.stands().await;
}
