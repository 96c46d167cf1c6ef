//! Signed mails, as dkimpy verifies them after a real server took them, whatever stands in them.

use super::{
    alerts::{build, hostile, judge, peer},
    email::{mails, named},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use std::process::Command;

/// A private key in PEM, and its public key in DER.
fn key(kind: &[&str]) -> (String, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    run(&[&["genpkey", "-out", "key.pem", "-algorithm"][..], kind].concat());
    let public = run(&["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"]);
    (std::fs::read_to_string(path).unwrap(), public)
}

#[tokio::test]
async fn every_signed_mail_verifies_and_none_that_was_changed() {
    for (name, kind) in [("rsa", &["rsa", "-pkeyopt", "rsa_keygen_bits:2048"][..]), ("ed25519", &["ed25519"][..])] {
        let (private, public) = key(kind);
        let own = if name == "rsa" { &public[..] } else { &public[public.len() - 32..] };
        let record = format!("v=DKIM1; k={name}; p={}", BASE64_STANDARD.encode(own));
        let text = format!(
            "smtp = '{}'\nfrom = 'Telltale <telltale@example.org>'\nto = 'soc@example.org'\nallow_private = \
             ['127.0.0.0/8']\ndkim_selector = 'tell'\ndkim_key = '''{private}'''",
            peer("TELLTALE_TEST_SMTP_PLAIN")
        );
        let sink = build("email", &text).unwrap();
        let mut given = Vec::new();
        for text in hostile() {
            let alert = named(&text);
            sink.send(&alert).await.unwrap();
            let mails = mails(&alert.id);
            // Our own inbox writes above each who it was from.
            let mail = mails[0].split_once('\n').unwrap().1;
            assert!(mail.starts_with("DKIM-Signature: v=1;"), "{mail:.200}");
            given
                .push(json!({"mail": mail, "domain": "example.org", "selector": "tell", "record": record}).to_string());
        }
        assert_eq!(judge("check_dkim.py", &given.join("\n")).trim(), "valid", "{name}");
    }
}

#[test]
fn a_key_without_its_selector_and_what_is_none_are_refused() {
    for (more, key) in [
        ("dkim_key = 'x'", "dkim_selector"),
        ("dkim_selector = 'x'", "dkim_key"),
        ("dkim_selector = 'x'\ndkim_key = 'wordword'", "dkim_key"),
        ("dkim_selector = 'x y'\ndkim_key = 'wordword'", "dkim_selector"),
    ] {
        let text = format!("smtp = 'smtp://mail.example.org'\nfrom = 'a@example.org'\nto = 'b@example.org'\n{more}");
        let error = build("email", &text).err().unwrap();
        assert!(error.key == key && !error.to_string().contains("wordword"), "{error}");
    }
}
