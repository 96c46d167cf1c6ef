//! The decoy directory, as OpenLDAP's client and a hostile one see it.

use crate::sensors::{
    door::with_tls,
    observer::{Watching, exchange, presented},
};
use std::sync::atomic::Ordering::SeqCst;
use tokio::process::Command;

const KEYS: &str = "listen = '127.0.0.1:0'\ndiagnostic = 'data 52e, v3839'";

/// Asks who it is, as this name; what the client says.
async fn who_am_i(url: &str, arguments: &[&str]) -> String {
    let program = std::env::var("TELLTALE_TEST_LDAP_WHOAMI")
        .expect("TELLTALE_TEST_LDAP_WHOAMI is not set: run the tests with tests/run (tests/peers/slapd.sh)");
    let mut command = Command::new(program);
    command.args(["-H", url]).args(arguments).env("LDAPTLS_REQCERT", "never");
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), command.output()).await.unwrap().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn openldaps_client_is_refused() {
    let ldap = Watching::start("ldap", KEYS).await;
    let url = format!("ldap://{}", ldap.address());
    let bind = async |name: &str, word: &str| who_am_i(&url, &["-x", "-D", name, "-w", word]).await;
    let said = bind("uid=c.moreau,ou=people,dc=example,dc=org", "secret").await;
    assert!(said.contains("Invalid credentials (49)") && said.contains("data 52e, v3839"), "{said}");
    assert_eq!(bind("c.moreau@example.org", "secret").await, said);
    assert!(who_am_i(&url, &["-x"]).await.contains("anonymous bind disallowed"));
    ldap.recorder.failing.store(true, SeqCst);
    assert_eq!(bind("uid=x,dc=example", "secret").await, said);
    assert_eq!(ldap.recorder.refused("not_durable"), 1);
    let touches = ldap.recorder.touches();
    assert_eq!(touches.len(), 2);
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    assert_eq!(presented(&touches[0]), [pair("username", "c.moreau"), pair("password", "secret")]);
    assert_eq!(presented(&touches[1])[1], pair("work_email", "c.moreau@example.org"));
    assert!(touches[0].evidence.starts_with(b"bind uid=c.moreau,ou=people,dc=example,dc=org\r\n"));
}

#[tokio::test]
async fn starttls_and_ldaps_are_spoken() {
    let folder = tempfile::tempdir().unwrap();
    for (implicit, scheme, start) in [(false, "ldap", "-ZZ"), (true, "ldaps", "-v")] {
        let ldap = with_tls("ldap", folder.path(), implicit).await;
        let url = format!("{scheme}://{}", ldap.address());
        let said = who_am_i(&url, &["-x", start, "-D", "uid=c.moreau,dc=example", "-w", "secret"]).await;
        assert!(said.contains("Invalid credentials (49)"), "{said}");
        assert_eq!(ldap.recorder.touches().len(), 1);
    }
}

#[tokio::test]
async fn noise_is_sent_away() {
    let ldap = Watching::start("ldap", KEYS).await;
    for noise in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 1]]
    {
        assert!(exchange(ldap.address(), noise).await.is_empty());
    }
    let search = b"\x30\x0c\x02\x01\x01\x63\x07\x04\x00\x0a\x01\x00\x0a\x00";
    let answer = exchange(ldap.address(), search).await;
    assert!(answer.starts_with(b"\x30") && answer[5] == 0x65 && answer[9] == 8, "{answer:?}");
    assert!(ldap.recorder.touches().is_empty());
    assert_eq!(ldap.recorder.refused("unreadable_message"), 2);
    assert_eq!(ldap.recorder.refused("line_too_long"), 1);
}

#[tokio::test]
async fn a_name_counts_in_every_way_to_bind() {
    let ldap = Watching::start("ldap", KEYS).await;
    let bind = |choice: &[u8]| {
        let request = [&b"\x02\x01\x03\x04\x0cuid=c.mo,o=x"[..], choice].concat();
        let operation = [&[0x02, 1, 1, 0x60, request.len() as u8], &request[..]].concat();
        [&[0x30, operation.len() as u8], &operation[..]].concat()
    };
    let mut asked = Vec::new();
    for choice in [
        &b"\x8a\x07NTLMSSP"[..],
        b"\xa3\x08\x04\x06GSSAPI",
        b"\xa3\x0a\x04\x05PLAIN\x04\x01?",
        b"\xa3\x0f\x04\x05PLAIN\x04\x06\0a.b\0c",
        b"\xa3\x10\x04\x05PLAIN\x04\x07\0c.mo\0c",
    ] {
        asked.extend(bind(choice));
    }
    let answers = exchange(ldap.address(), &asked).await;
    let mut results = Vec::new();
    let mut rest = &answers[..];
    while let [0x30, length, body @ ..] = rest {
        assert_eq!(body[3], 0x61);
        results.push(body[7]);
        rest = &body[usize::from(*length)..];
    }
    assert_eq!(results, [7, 7, 49, 49, 49]);
    let touches = ldap.recorder.touches();
    let values: Vec<Vec<String>> =
        touches.iter().map(|touch| presented(touch).into_iter().map(|(_, value)| value).collect()).collect();
    assert_eq!(values, [vec!["c.mo"], vec!["c.mo"], vec!["c.mo"], vec!["a.b", "c"], vec!["c.mo"], vec!["c.mo", "c"]]);
    assert_eq!(touches[0].evidence, b"bind uid=c.mo,o=x\r\nuser name: c.mo\r\npassword: (none)\r\n");
}

#[tokio::test]
async fn who_only_abandons_is_sent_away() {
    let ldap = Watching::start("ldap", KEYS).await;
    let search = b"\x30\x0c\x02\x01\x01\x63\x07\x04\x00\x0a\x01\x00\x0a\x00";
    let abandon = b"\x30\x06\x02\x01\x01\x50\x01\x01";
    assert!(!exchange(ldap.address(), &[&abandon.repeat(100)[..], search].concat()).await.is_empty());
    assert!(exchange(ldap.address(), &[&abandon.repeat(101)[..], search].concat()).await.is_empty());
}
