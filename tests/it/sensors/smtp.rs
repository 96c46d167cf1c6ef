//! The mail server: what it accepts, what it refuses, and what never ends a mail.

use crate::sensors::observer::{Watching, presented};
use std::{
    net::SocketAddr,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};
use telltale::domain::sighting::Class;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// A section for the alias domain of the tests.
pub const KEYS: &str = "listen = '127.0.0.1:0'\nalias_domains = ['courriel.example.org']\nhostname = 'mx.example.org'";

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> Client {
        let mut client = Client(BufReader::new(TcpStream::connect(address).await.expect("connects")));
        assert_eq!(client.reply().await, "220 mx.example.org ESMTP");
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.expect("sent");
    }

    /// The last line of the next reply; empty at the end of the connection.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(40), self.0.read_line(&mut line)).await;
            if read.expect("a reply in time").unwrap_or(0) == 0 {
                return String::new();
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// EHLO, one sender, these recipients, DATA.
    async fn begin(&mut self, recipients: &[&str]) {
        assert!(self.say("EHLO client.example.net").await.starts_with("250 "));
        assert_eq!(self.say("MAIL FROM:<spammer@example.net>").await, "250 2.1.0 sender ok");
        for recipient in recipients {
            assert_eq!(self.say(&format!("RCPT TO:<{recipient}>")).await, "250 2.1.5 recipient ok");
        }
        assert!(self.say("DATA").await.starts_with("354 "));
    }
}

#[tokio::test]
async fn a_mail_is_one_touch_a_recipient() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.begin(&["c.durand@courriel.example.org", "Nobody.42@COURRIEL.example.org"]).await;
    let mail = "Subject: offre\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nIBAN FR76 =\r\n1234\r\n..dot\r\n.";
    assert_eq!(client.say(mail).await, "250 2.0.0 queued");
    assert_eq!(client.say("QUIT").await, "221 2.0.0 bye");
    let touches = smtp.recorder.touches();
    assert_eq!(touches.len(), 2);
    assert_eq!(presented(&touches[0]), [("work_email".to_owned(), "c.durand@courriel.example.org".to_owned())]);
    assert_eq!(presented(&touches[1])[0].1, "Nobody.42@COURRIEL.example.org");
    let text = String::from_utf8_lossy(&touches[0].text);
    assert!(text.contains("IBAN FR76 1234") && text.contains("\n.dot"), "{text}");
    assert!(touches[1].text.is_empty(), "what stands in one mail was seen once");
    for touch in &touches {
        assert_eq!((touch.class, touch.service.as_str()), (Class::Mail, "smtp"));
        assert!(String::from_utf8_lossy(&touch.evidence).contains("Subject: offre"));
    }
}

#[tokio::test]
async fn nothing_that_looks_like_an_end_smuggles_a_mail_in() {
    let table: [&[u8]; 12] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\n.\r",
        b"\r.\n",
        b"\r\n.\0\r\n",
        b"\r\n\0.\r\n",
        b"\r\n..\r\n",
        b"\r\r\n.\r\r\n",
    ];
    let smtp = Watching::start("smtp", KEYS).await;
    for (number, sequence) in table.iter().enumerate() {
        let mut client = Client::connect(smtp.address()).await;
        client.begin(&["first@courriel.example.org"]).await;
        let second = b"MAIL FROM:<x@example.net>\r\nRCPT TO:<second@courriel.example.org>\r\nDATA\r\nsmuggled";
        client.send(&[b"a".as_slice(), sequence, second, b"\r\n.\r\n"].concat()).await;
        assert_eq!(client.reply().await, "250 2.0.0 queued");
        assert_eq!(client.say("NOOP").await, "250 2.0.0 ok");
        let touches = smtp.recorder.touches();
        assert_eq!(touches.len(), number + 1, "{sequence:?} let a second mail in");
        assert!(presented(&touches[number])[0].1.starts_with("first@"));
    }
}

#[tokio::test]
async fn pipelined_commands_are_followed_and_improper_ones_end_the_session() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@courriel.example.org>\r\nDATA\r\n").await;
    for expected in ["250 ", "250 ", "250 ", "354 "] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    client.send(b"x\r\n.\r\nMAIL FROM:<b@example.net>\r\nRSET\r\nQUIT\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 queued");
    assert_eq!(client.reply().await, "250 2.1.0 sender ok");
    assert_eq!(client.reply().await, "250 2.0.0 ok");
    assert_eq!(client.reply().await, "221 2.0.0 bye");
    assert_eq!(smtp.recorder.touches().len(), 1);

    let mut client = Client::connect(smtp.address()).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@courriel.example.org>\r\nDATA\r\nx\r\n.\r\n").await;
    for expected in ["250 ", "250 ", "250 ", "554 5.5.0"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert_eq!(client.reply().await, "");
    assert_eq!(smtp.recorder.refused("improper_pipelining"), 1);
}

#[tokio::test]
async fn every_alias_is_taken_and_nothing_is_relayed() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    assert!(client.say("MAIL FROM:<a@example.net>").await.starts_with("503 "));
    client.say("EHLO c").await;
    assert!(client.say("RCPT TO:<a@courriel.example.org>").await.starts_with("503 "));
    client.say("MAIL FROM:<a@example.net>").await;
    for other in ["a@example.org", "a@sub.courriel.example.org", "a%courriel.example.org@example.net"] {
        assert_eq!(client.say(&format!("RCPT TO:<{other}>")).await, "550 5.7.1 relay access denied");
    }
    assert!(client.say("DATA").await.starts_with("503 "));
    let known = client.say("RCPT TO:<c.durand@courriel.example.org>").await;
    assert_eq!(known, client.say("RCPT TO:<zz-unknown@courriel.example.org>").await);
    assert!(client.say("RCPT TO:<broken").await.starts_with("501 "));
    assert!(client.say("VRFY c.durand").await.starts_with("252 "));
    assert!(client.say("BDAT 10").await.starts_with("502 "));
    assert_eq!(client.reply().await, "");
    assert_eq!(smtp.recorder.wait_for(2).await.len(), 2, "addresses that were tried are touches");
}

#[tokio::test]
async fn a_mail_is_acknowledged_only_when_it_is_durable() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.begin(&["a@courriel.example.org"]).await;
    smtp.recorder.stalled.store(true, SeqCst);
    client.send(b"x\r\n.\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(300), client.0.read_u8()).await;
    assert!(early.is_err(), "answered before the report was durable");
    smtp.recorder.stalled.store(false, SeqCst);
    assert_eq!(client.reply().await, "250 2.0.0 queued");
    smtp.recorder.failing.store(true, SeqCst);
    client.begin(&["a@courriel.example.org"]).await;
    assert!(client.say("x\r\n.").await.starts_with("451 "));
    assert!(client.say("AUTH PLAIN AGEAYg==").await.starts_with("451 "));
    assert_eq!(smtp.recorder.touches().len(), 1);
    assert_eq!(smtp.recorder.refused("not_durable"), 2);
}

#[tokio::test]
async fn a_mail_to_a_hundred_is_a_hundred_touches() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.say("EHLO c").await;
    client.say("MAIL FROM:<a@example.net>").await;
    for number in 0..100 {
        assert!(client.say(&format!("RCPT TO:<a{number}@courriel.example.org>")).await.starts_with("250 "));
    }
    assert!(client.say("RCPT TO:<A1@courriel.example.org>").await.starts_with("452 "));
    assert!(client.say("DATA").await.starts_with("354 "));
    assert_eq!(client.say(&format!("{}\r\n.", "body ".repeat(20_000))).await, "250 2.0.0 queued");
    let touches = smtp.recorder.touches();
    assert_eq!(touches.len(), 100);
    assert!(touches.iter().all(|touch| touch.evidence.len() == 64 * 1024));
    assert_eq!(touches.iter().filter(|touch| !touch.text.is_empty()).count(), 1);
}

#[tokio::test]
async fn a_login_is_reported_and_fails() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.say("EHLO c").await;
    assert!(client.say("AUTH PLAIN AGpkb2UAc2VjcmV0").await.starts_with("535 "));
    assert_eq!(client.say("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(client.say("amRvZQ==").await, "334 UGFzc3dvcmQ6");
    assert!(client.say("c2VjcmV0").await.starts_with("535 "));
    assert!(client.say("AUTH PLAIN ???").await.starts_with("501 "));
    assert!(client.say("AUTH CRAM-MD5").await.starts_with("504 "));
    let touches = smtp.recorder.touches();
    assert_eq!(touches.len(), 2);
    for touch in &touches {
        assert_eq!(touch.class, Class::Login);
        let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
        assert_eq!(presented(touch), [pair("username", "jdoe"), pair("password", "secret")]);
    }
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused_with_little_memory() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.say("EHLO c").await;
    assert!(client.say("MAIL FROM:<a@example.net> SIZE=104857600").await.starts_with("552 "));
    let before = resident();
    client.begin(&["a@courriel.example.org"]).await;
    let line = [[b'x'; 998].as_slice(), b"\r\n"].concat().repeat(1000);
    for _ in 0..100 {
        client.send(&line).await;
    }
    assert!(client.say(".").await.starts_with("552 "));
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} kB for a mail of 100 MB");
    assert_eq!(smtp.recorder.refused("mail_too_large"), 2);
    let touches = smtp.recorder.wait_for(1).await;
    assert!(touches[0].text.is_empty(), "only that the address was written to");
    client.begin(&["a@courriel.example.org"]).await;
    assert_eq!(client.say("small\r\n.").await, "250 2.0.0 queued");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test]
async fn bad_input_is_refused_and_counted() {
    let smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    client.say("EHLO c").await;
    assert!(client.say(&format!("AUTH LOGIN {}", "A".repeat(200_000))).await.starts_with("500 "));
    assert_eq!(client.say("NOOP").await, "250 2.0.0 ok");
    client.send(b"\xff\xfe\0\r\n").await;
    assert!(client.reply().await.starts_with("500 "));
    client.send(b"MAIL FROM:<\xff\xff@x>\r\n").await;
    let _ = client.reply().await;
    for _ in 0..30 {
        client.0.get_mut().write_all(b"RUBBISH\r\n").await.ok();
    }
    let mut rest = Vec::new();
    client.0.read_to_end(&mut rest).await.ok();
    assert!(String::from_utf8_lossy(&rest).contains("421 4.7.0 too many errors"));
    let mut client = Client::connect(smtp.address()).await;
    let cut_off = client.0.get_mut().write_all(&vec![b'a'; 10 * 1024 * 1024]).await;
    assert!(cut_off.is_err() || client.reply().await.starts_with("421 "));
    assert_eq!(smtp.recorder.refused("line_too_long"), 2);
    let mut browser = Client::connect(smtp.address()).await;
    assert!(browser.say("POST / HTTP/1.1").await.starts_with("554 "));
    assert_eq!(browser.reply().await, "");
}

#[tokio::test]
async fn silent_and_dribbling_clients_are_closed() {
    let smtp = Watching::start("smtp", KEYS).await;
    let address = smtp.address();
    let began = Instant::now();
    let clients = (0..20).map(|number| async move {
        let mut client = Client::connect(address).await;
        match number % 3 {
            0 => {}
            1 => client.begin(&["a@courriel.example.org"]).await,
            _ => {
                for _ in 0..40 {
                    if client.0.get_mut().write_all(b"E").await.is_err() {
                        break;
                    }
                    let mut byte = [0];
                    let read = tokio::time::timeout(Duration::from_secs(1), client.0.read(&mut byte)).await;
                    if read.is_ok() {
                        return;
                    }
                }
                panic!("a client that dribbles was not closed");
            }
        }
        assert!(client.reply().await.starts_with("421 4.4.2"));
        assert_eq!(client.reply().await, "");
    });
    futures_util::future::join_all(clients).await;
    assert!(began.elapsed() < Duration::from_secs(36), "{:?}", began.elapsed());
    assert_eq!(smtp.recorder.refused("too_slow"), 20);
}

#[tokio::test]
async fn it_says_goodbye_when_it_stops() {
    let mut smtp = Watching::start("smtp", KEYS).await;
    let mut client = Client::connect(smtp.address()).await;
    smtp.stop.cancel();
    assert!(client.reply().await.starts_with("421 4.3.2"));
    tokio::time::timeout(Duration::from_secs(8), &mut smtp.running.task)
        .await
        .expect("in time")
        .expect("no panic")
        .ok();
}
