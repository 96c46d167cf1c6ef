//! What the decoy services share: limits of time, proxies, a stop, and the clients that the tests of each use.

use crate::sensors::{
    mail_clients::certify,
    observer::{Watching, build, exchange, presented},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use telltale::{
    domain::{secret::with_literals, section::Section},
    sensors::{
        self,
        door::wire::{Broken, Wire},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};
use tokio_util::sync::CancellationToken;

const SERVICES: [&str; 3] = ["imap", "ftp", "ldap"];

/// Runs a script, to which `port` is the decoy's and `tls` a context that trusts anybody.
pub async fn python(script: &str, decoy: &Watching) -> String {
    let begin = format!(
        "import ssl\nport = {}\ntls = ssl.create_default_context()\ntls.check_hostname = False\ntls.verify_mode = ssl.CERT_NONE\n",
        decoy.address().port()
    );
    let running = Command::new("python3").arg("-c").arg(begin + script).output();
    let output = tokio::time::timeout(Duration::from_secs(60), running).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

/// A decoy with a certificate.
pub async fn with_tls(kind: &str, folder: &Path, implicit: bool) -> Watching {
    certify(folder);
    let place = |name: &str| folder.join(name).display().to_string();
    let keys = format!(
        "listen = '127.0.0.1:0'\ntls_cert = '{}'\ntls_key = '{}'\nimplicit_tls = {implicit}",
        place("cert.pem"),
        place("key.pem")
    );
    Watching::start(kind, &keys).await
}

#[tokio::test]
async fn whoever_dribbles_is_closed_within_ten_seconds() {
    let dribble = async |kind: &'static str| {
        let decoy = Watching::start(kind, "listen = '127.0.0.1:0'").await;
        let stream = TcpStream::connect(decoy.address()).await.unwrap();
        let (mut input, mut output) = stream.into_split();
        let began = Instant::now();
        let writing = tokio::spawn(async move {
            // The beginning of a message, or of a line, that never ends.
            let _ = output.write_all(&[0x30, 0x82, 0x10, 0x00]).await;
            while output.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let mut rest = Vec::new();
        let _ = input.read_to_end(&mut rest).await;
        writing.abort();
        assert!((9..30).contains(&began.elapsed().as_secs()), "{kind}: {:?}", began.elapsed());
        assert_eq!(decoy.recorder.refused("too_slow"), 1, "{kind}");
    };
    futures_util::future::join_all(SERVICES.map(dribble)).await;
}

#[tokio::test]
async fn a_session_ends_however_busy_the_client_is() {
    let (near, mut far) = tokio::io::duplex(4096);
    let busy = tokio::spawn(async move { while far.write_all(b"NOOP\r\n").await.is_ok() {} });
    let until = tokio::time::Instant::now() + Duration::from_millis(300);
    let mut wire = Wire::new(near, Duration::from_secs(30), CancellationToken::new()).until(until);
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match wire.line().await {
                Ok(line) => assert_eq!(line.as_deref(), Some(&b"NOOP\r\n"[..])),
                Err(broken) => return broken,
            }
        }
    });
    assert_eq!(ended.await.expect("it ends"), Broken::Silent);
    drop(wire);
    busy.await.unwrap();
}

#[tokio::test]
async fn a_line_break_in_a_name_writes_no_line_of_the_evidence() {
    // Base64 of "a\r\npassword: forged" and of "b\r\nc".
    let imap = b"a LOGIN {19}\r\na\r\npassword: forged {4+}\r\nb\r\nc\r\n\
        a AUTHENTICATE LOGIN YQ0KcGFzc3dvcmQ6IGZvcmdlZA==\r\nYg0KYw==\r\n";
    let bind = b"\x30\x23\x02\x01\x01\x60\x1e\x02\x01\x03\x04\x13a\r\npassword: forged\x80\x04b\r\nc";
    for (kind, talk, count) in [("imap", &imap[..], 2), ("ldap", &bind[..], 1), ("ftp", &b"USER a\rb\r\n"[..], 1)] {
        let decoy = Watching::start(kind, "listen = '127.0.0.1:0'").await;
        exchange(decoy.address(), talk).await;
        let touches = decoy.recorder.wait_for(count).await;
        assert_eq!(touches.len(), count, "{kind}");
        for touch in touches {
            assert!(presented(&touch)[0].1.starts_with("a\r"), "what was presented is as it was");
            let evidence = String::from_utf8(touch.evidence).unwrap();
            let lines: Vec<&str> = evidence.split(['\r', '\n']).filter(|line| !line.is_empty()).collect();
            let wanted = match kind {
                "ftp" => ["user name: a\\rb", "password: (none)"],
                _ => ["user name: a\\r\\npassword: forged", "password: b\\r\\nc"],
            };
            assert_eq!(lines[1..], wanted, "{kind}: {evidence}");
        }
    }
}

#[tokio::test]
async fn a_proxy_names_the_source_only_where_it_is_trusted() {
    for (trusted, source) in [("['127.0.0.1']", "203.0.113.8"), ("[]", "127.0.0.1")] {
        let ftp = Watching::start("ftp", &format!("listen = '127.0.0.1:0'\ntrusted_proxies = {trusted}")).await;
        let talk = b"PROXY TCP4 203.0.113.8 127.0.0.1 5 21\r\nUSER a\r\nPASS b\r\nQUIT\r\n";
        exchange(ftp.address(), talk).await;
        let touches = ftp.recorder.touches();
        assert_eq!(touches[0].source_ip, Some(source.parse().unwrap()));
        assert_eq!(touches[0].reporter, "127.0.0.1");
    }
}

#[tokio::test]
async fn they_stop_while_clients_are_connected() {
    for kind in SERVICES {
        let mut decoy = Watching::start(kind, "listen = '127.0.0.1:0'").await;
        let _silent = TcpStream::connect(decoy.address()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        decoy.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(4), &mut decoy.running.task).await;
        ended.expect("in time").expect("no panic").unwrap();
    }
}

#[test]
fn a_section_that_cannot_be_is_explained() {
    let refused = |kind: &str, keys: &str| {
        let entry = sensors::ALL.iter().find(|entry| entry.kind == kind).unwrap();
        let keys = format!("listen = '127.0.0.1:0'\n{keys}").parse().unwrap();
        let section = Section { name: kind.into(), keys, folder: ".".into() };
        with_literals(false, || (entry.build)(&section)).err().expect("refused").key
    };
    for kind in SERVICES {
        assert_eq!(refused(kind, "implicit_tls = true"), "implicit_tls");
    }
    assert_eq!(refused("imap", "banner = \"a\\r\\nb\""), "banner");
    assert_eq!(refused("ftp", "banner = ''"), "banner");
    assert_eq!(refused("ldap", "diagnostic = \"a\\nb\""), "diagnostic");
    assert_eq!(refused("basic", "server = \"a\\nb\""), "server");
    build("basic", "listen = '127.0.0.1:0'");
}
