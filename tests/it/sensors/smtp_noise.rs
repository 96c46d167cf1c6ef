//! Any conversation at all: whatever a client sends, in whatever pieces, every reply is a reply and nothing breaks.

use crate::sensors::observer::Recorder;
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};
use telltale::sensors::{
    listener::Peer,
    mail::contents::House,
    smtp::{Rules, session::Session},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

const LINES: [&[u8]; 22] = [
    b"EHLO c\r\n",
    b"HELO\r\n",
    b"MAIL FROM:<a@example.net>\r\n",
    b"MAIL FROM:<> SIZE=99999999999999999999 BODY=8BITMIME\r\n",
    b"MAIL FROM:<a@example.net> SMTPUTF8 X=\r\n",
    b"RCPT TO:<b@courriel.example.org>\r\n",
    b"RCPT TO:<\"x y\"@courriel.example.org> NOTIFY=NEVER\r\n",
    b"RCPT TO:<@a,@b:c@d>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\nbody\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"..\r\n",
    b"RSET\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH LOGIN YQ==\r\n",
    b"AGEAYg==\r\n",
    b"*\r\n",
    b"STARTTLS\r\n",
    b"VRFY x\n",
    b"NOOP \0\xff\r\n",
    b"QUIT\r\n",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::sample::select(LINES.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => "(MAIL|RCPT|AUTH|BDAT|EXPN|ETRN|HELP|[A-Z]{4}) [ -~]{0,30}\r\n".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn every_reply_is_a_reply(pieces in prop::collection::vec((piece(), any::<bool>()), 0..30), tls in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let said = runtime.block_on(converse(pieces, tls));
        for line in said.split_inclusive("\r\n") {
            let code = line.get(..3).unwrap_or_default();
            let mark = line.as_bytes().get(3).copied();
            prop_assert!(code.bytes().all(|byte| byte.is_ascii_digit()) && code.len() == 3, "{:?}", line);
            prop_assert!(matches!(mark, Some(b' ' | b'-')) && line.ends_with("\r\n"), "{:?}", line);
        }
    }
}

async fn converse(pieces: Vec<(Vec<u8>, bool)>, tls: bool) -> String {
    let (recorder, reporter) = Recorder::new();
    let rules = Rules {
        relays: Vec::new(),
        house: House::default(),
        sensor: "mx".into(),
        hostname: "mx.example.org".into(),
        alias_domains: vec!["courriel.example.org".into()],
        max_size: 4096,
        pause: Duration::from_secs(2),
        session: Duration::from_secs(10),
    };
    let peer = Peer { socket: "127.0.0.1:9".parse().expect("an address"), source: [127, 0, 0, 1].into(), tls: false };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let memory = Arc::new(Semaphore::new(4));
    let session = Session::new(ours, peer, Arc::new(rules), reporter, memory.clone(), CancellationToken::new());
    let (mut input, mut output) = tokio::io::split(theirs);
    let client = async {
        for (piece, pause) in pieces {
            if output.write_all(&piece).await.is_err() {
                break;
            }
            if pause {
                tokio::task::yield_now().await;
            }
        }
        output.shutdown().await.ok();
        let mut said = Vec::new();
        input.read_to_end(&mut said).await.expect("read");
        said
    };
    let server = async { drop(session.run(tls, true).await) };
    let (said, ()) = tokio::join!(client, server);
    assert_eq!(memory.available_permits(), 4, "memory was not given back");
    assert!(recorder.touches().iter().all(|touch| !touch.presented.is_empty()));
    String::from_utf8(said).expect("replies are ASCII")
}
