//! Messages on a real NATS server, read by a subscriber that speaks its protocol, and stored by its JetStream.

use super::alerts::{alert, build, many, peer};
use serde_json::{Value, json};
use telltale::{
    domain::alert::Alert,
    sinks::sink::{Sink, SinkError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

pub fn nats(subject: &str, more: &str) -> Box<dyn Sink> {
    let text = format!(
        "address = '{}'\nsubject = '{subject}'\nuser = 'telltale'\npassword = 'wordword'\nallow_private = \
         ['127.0.0.0/8']\n{more}",
        peer("TELLTALE_TEST_NATS")
    );
    build("nats", &text).unwrap()
}

/// A client of the server's, as its documentation describes one.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub async fn new() -> Client {
        let stream = TcpStream::connect(peer("TELLTALE_TEST_NATS")).await.unwrap();
        let mut client = Client(BufReader::new(stream));
        assert!(client.line().await.starts_with("INFO "));
        let hello =
            json!({"verbose": false, "pedantic": false, "headers": true, "user": "telltale", "pass": "wordword"});
        client.say(&format!("CONNECT {hello}\r\n")).await;
        client
    }

    async fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), self.0.read_line(&mut line));
        assert!(read.await.expect("it answers").unwrap() > 0, "it hung up");
        line
    }

    /// Subscribes, and waits until the server knows.
    pub async fn subscribe(&mut self, subject: &str) {
        self.say(&format!("SUB {subject} 1\r\nPING\r\n")).await;
        while self.line().await.trim() != "PONG" {}
    }

    /// The next message: its headers, if it has any, and what follows.
    pub async fn message(&mut self) -> (String, String) {
        loop {
            let line = self.line().await;
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words[words.len() - at].parse::<usize>().unwrap();
            let (head, total) = match words[0] {
                "MSG" => (0, number(1)),
                "HMSG" => (number(2), number(1)),
                _ => continue,
            };
            let mut bytes = vec![0; total + 2];
            self.0.read_exact(&mut bytes).await.unwrap();
            let text = String::from_utf8(bytes[..total].to_vec()).unwrap();
            return (text[..head].to_owned(), text[head..].to_owned());
        }
    }

    /// Asks JetStream.
    async fn ask(&mut self, subject: &str, body: &Value) -> Value {
        let body = body.to_string();
        self.say(&format!("PUB {subject} answers {}\r\n{body}\r\n", body.len())).await;
        serde_json::from_str(&self.message().await.1).unwrap()
    }
}

#[tokio::test]
async fn every_alert_arrives_as_json_under_its_id() {
    let mut reader = Client::new().await;
    reader.subscribe("alerts.every").await;
    let sink = nats("alerts.every", "");
    sink.probe().await.unwrap();
    for alert in many().iter().step_by(5) {
        sink.send(alert).await.unwrap();
        let (head, text) = reader.message().await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert!(told["type"] == alert.alert_type.as_str() && told["data"].is_object(), "{told}");
        let id = told["id"].as_str().unwrap();
        assert!(id.contains(&alert.id) && head.contains(&format!("Nats-Msg-Id: {id}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn a_stream_says_that_it_has_it_and_keeps_a_repetition_once() {
    // Whatever another run left in the server.
    let own = uuid::Uuid::now_v7().simple().to_string();
    let stored = nats(&format!("{own}.alerts"), "acknowledge = true");
    let nobody = stored.send(&alert("")).await.unwrap_err();
    assert!(matches!(&nobody, SinkError::Retry { .. }) && nobody.to_string().contains("no stream"), "{nobody}");
    let mut client = Client::new().await;
    client.subscribe("answers").await;
    let made = client
        .ask(&format!("$JS.API.STREAM.CREATE.{own}"), &json!({"name": own, "subjects": [format!("{own}.>")]}))
        .await;
    assert!(made["error"].is_null(), "{made}");
    let receipt = stored.send(&alert("")).await.unwrap();
    assert!(receipt.response.contains(&own), "{receipt:?}");
    stored.send(&alert("")).await.unwrap();
    stored.send(&Alert { id: "a-43".to_owned(), ..alert("") }).await.unwrap();
    let info = client.ask(&format!("$JS.API.STREAM.INFO.{own}"), &json!({})).await;
    assert_eq!(info["state"]["messages"], 2, "{info}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let wrong = format!(
        "address = '{}'\nsubject = 'a'\nuser = 'telltale'\npassword = 'wrongword'\nallow_private = ['127.0.0.0/8']",
        peer("TELLTALE_TEST_NATS")
    );
    let error = build("nats", &wrong).unwrap().send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && !error.to_string().contains("wrongword"), "{error}");
    let away = build("nats", "address = '127.0.0.1:9'\nsubject = 'a'\nallow_private = ['127.0.0.0/8']").unwrap();
    assert!(matches!(away.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    for subject in ["a..b", "a.*", "a b", ">", "", "a\r\nPUB x 0"] {
        let error = build("nats", &format!("address = 'h'\nsubject = {}", json!(subject))).err().unwrap();
        assert_eq!(error.key, "subject", "{subject:?}");
    }
}

/// Takes one connection as a server would, with this limit, and answers whatever is told there; answers what was said to it.
async fn play(listener: TcpListener, most: usize, answer: &'static str) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let mut line = BufReader::new(stream);
    let info = json!({"headers": true, "max_payload": most});
    line.get_mut().write_all(format!("INFO {info}\r\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    let mut greeted = false;
    loop {
        let mut next = String::new();
        if line.read_line(&mut next).await.unwrap_or(0) == 0 {
            return said;
        }
        said += &next;
        if next.trim() == "PING" {
            let answer = if greeted { answer } else { "PONG\r\n" };
            greeted = true;
            line.get_mut().write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_too_long_for_the_server_is_told_without_the_list_of_canaries() {
    let mut long = alert("");
    let ids = (0..500_u64).map(|number| format!("{number:016x}").parse().unwrap());
    long.incident.as_mut().unwrap().canaries = ids.collect();
    for (most, whole) in [(1 << 20, true), (8_000, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text =
            format!("address = '{}'\nsubject = 'a'\nallow_private = ['127.0.0.0/8']", listener.local_addr().unwrap());
        let server = tokio::spawn(play(listener, most, "PONG\r\n"));
        build("nats", &text).unwrap().send(&long).await.unwrap();
        let said = server.await.unwrap();
        let told: Value = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap();
        let incident = &told["data"]["incident"];
        assert_eq!(incident["canaries"].is_array(), whole, "{told}");
        assert_eq!(incident["canary_count"], if whole { Value::Null } else { json!(500) });
        let line = said.lines().find(|line| line.starts_with("HPUB")).unwrap();
        assert!(line.rsplit(' ').next().unwrap().parse::<usize>().unwrap() <= most, "{line}");
    }
}

#[tokio::test]
async fn what_took_too_long_is_no_refusal() {
    for (answer, retried) in [
        ("-ERR 'Authentication Timeout'\r\n", true),
        ("-ERR 'User Authentication Expired'\r\n", true),
        ("-ERR 'Authorization Violation'\r\n", false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text =
            format!("address = '{}'\nsubject = 'a'\nallow_private = ['127.0.0.0/8']", listener.local_addr().unwrap());
        let server = tokio::spawn(play(listener, 1 << 20, answer));
        let error = build("nats", &text).unwrap().send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::Retry { .. }), retried, "{error}");
        server.await.unwrap();
    }
}
