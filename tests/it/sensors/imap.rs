//! The decoy server of mailboxes, as Python's client and a hostile one see it.

use crate::sensors::{
    door::{python, with_tls},
    observer::{Watching, exchange, presented},
};
use std::sync::atomic::Ordering::SeqCst;
use telltale::domain::sighting::Class;

const KEYS: &str = "listen = '127.0.0.1:0'\nbanner = 'Cyrus IMAP ready'";

#[tokio::test]
async fn pythons_client_is_refused_whatever_it_presents() {
    let imap = Watching::start("imap", KEYS).await;
    let said = python(
        "import imaplib
client = imaplib.IMAP4('127.0.0.1', port)
print(client.welcome)
def tried(way):
    try: way()
    except imaplib.IMAP4.error as error: print(error)
tried(lambda: client.login('c.moreau', 'se \"cret\\\\'))
tried(lambda: client.authenticate('PLAIN', lambda _: b'\\0plain@example.org\\0pw'))
answers = iter([b'by.turns', b'pw'])
tried(lambda: client.authenticate('LOGIN', lambda _: next(answers)))
client.logout()",
        &imap,
    )
    .await;
    assert!(said.contains("Cyrus IMAP ready") && said.matches("AUTHENTICATIONFAILED").count() == 3, "{said}");
    let touches = imap.recorder.touches();
    let values: Vec<_> = touches.iter().map(|touch| presented(touch).into_iter().map(|(_, value)| value)).collect();
    let values: Vec<Vec<String>> = values.into_iter().map(Iterator::collect).collect();
    assert_eq!(
        values,
        [vec!["c.moreau", "se \"cret\\"], vec!["plain@example.org", "plain@example.org", "pw"], vec!["by.turns", "pw"]]
    );
    assert!(touches.iter().all(|touch| touch.service == "imap" && touch.class == Class::Login));
    assert!(touches[0].evidence.starts_with(b"LOGIN\r\nuser name: c.moreau\r\n"));
}

#[tokio::test]
async fn starttls_and_imaps_are_spoken() {
    let folder = tempfile::tempdir().unwrap();
    for (implicit, connected) in [
        (false, "client = imaplib.IMAP4('127.0.0.1', port); client.starttls(tls)"),
        (true, "client = imaplib.IMAP4_SSL('127.0.0.1', port, ssl_context=tls)"),
    ] {
        let imap = with_tls("imap", folder.path(), implicit).await;
        let script = format!(
            "import imaplib\n{connected}\ntry: client.login('c.moreau', 'secret')\nexcept imaplib.IMAP4.error as error: print(error)\nclient.logout()"
        );
        let said = python(&script, &imap).await;
        assert!(said.contains("AUTHENTICATIONFAILED"), "{said}");
        assert_eq!(imap.recorder.touches().len(), 1);
    }
}

#[tokio::test]
async fn literals_noise_and_a_full_disk_change_nothing() {
    let imap = Watching::start("imap", KEYS).await;
    let said = async |text: &str| String::from_utf8(exchange(imap.address(), text.as_bytes()).await).unwrap();
    let answer =
        said("a LOGIN {8}\r\nc.moreau {6+}\r\nsecret\r\nb SELECT inbox\r\n* x\r\n\r\nc LOGIN a\r\nd LOGOUT\r\n").await;
    let lines: Vec<&str> = answer.lines().skip(1).collect();
    let wrong = "BAD Error in IMAP command received by server.";
    assert_eq!(
        lines,
        [
            "+ OK",
            "a NO [AUTHENTICATIONFAILED] Authentication failed.",
            &format!("b {wrong}"),
            &format!("* {wrong}"),
            &format!("* {wrong}"),
            &format!("c {wrong}"),
            "* BYE Logging out",
            "d OK Logout completed."
        ]
    );
    let touches = imap.recorder.touches();
    assert_eq!((touches.len(), presented(&touches[0])[0].1.as_str()), (2, "c.moreau"));
    imap.recorder.failing.store(true, SeqCst);
    let answer = said("a LOGIN x y\r\na LOGOUT\r\n").await;
    assert!(answer.contains("a NO [AUTHENTICATIONFAILED] Authentication failed."), "{answer}");
    imap.recorder.failing.store(false, SeqCst);
    assert!(!said("a LOGIN {99999}\r\n").await.contains("+ OK"));
    assert_eq!(said(&"x\r\n".repeat(100)).await.lines().count(), 22);
    assert_eq!(imap.recorder.refused("too_many_errors"), 1);
}

#[tokio::test]
async fn a_name_counts_whatever_becomes_of_its_password() {
    let wrong = "a BAD Error in IMAP command received by server.";
    for (talk, last) in [
        ("a LOGIN canary\r\n", wrong),
        ("a LOGIN canary my pass word\r\n", wrong),
        ("a LOGIN canary \"open\r\n", wrong),
        ("a LOGIN canary {99999}\r\n", ""),
        ("a LOGIN {6}\r\ncanary", "+ OK"),
        ("a LOGIN {6}\r\ncanary {5}\r\nabc", "+ OK"),
        ("a AUTHENTICATE LOGIN\r\nY2FuYXJ5\r\n*\r\n", wrong),
        ("a AUTHENTICATE LOGIN Y2FuYXJ5\r\n?\r\n", wrong),
        ("a AUTHENTICATE LOGIN Y2FuYXJ5\r\n", "+ UGFzc3dvcmQ6"),
    ] {
        let imap = Watching::start("imap", KEYS).await;
        let answer = String::from_utf8(exchange(imap.address(), talk.as_bytes()).await).unwrap();
        assert_eq!(answer.lines().skip(1).last().unwrap_or_default(), last, "{talk}");
        let touches = imap.recorder.wait_for(1).await;
        assert_eq!(touches.len(), 1, "{talk}");
        assert_eq!(presented(&touches[0]), [("username".to_owned(), "canary".to_owned())], "{talk}");
        assert!(touches[0].evidence.ends_with(b"user name: canary\r\npassword: (none)\r\n"));
    }
    // Who gives up before a name is asked for no password, and what follows is a command.
    let imap = Watching::start("imap", KEYS).await;
    let answer = exchange(imap.address(), b"a AUTHENTICATE LOGIN\r\n*\r\nb NOOP\r\n").await;
    assert!(answer.ends_with(format!("{wrong}\r\nb OK NOOP completed.\r\n").as_bytes()));
    assert!(imap.recorder.touches().is_empty());
}
