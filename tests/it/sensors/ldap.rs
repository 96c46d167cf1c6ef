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
