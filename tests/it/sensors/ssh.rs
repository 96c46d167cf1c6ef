//! The decoy SSH server, tried by OpenSSH's own client and by one that looks closely at each answer.

use crate::{
    sensors::observer::{Watching, exchange, presented},
    stores::rows::peer,
    support::timed::Anybody,
};
use russh::{
    client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg},
};
use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, process::Command};

/// A decoy whose key lies in a folder of its own.
async fn decoy(more: &str) -> (TempDir, Watching) {
    let folder = tempfile::tempdir().unwrap();
    let decoy = Watching::start("ssh", &keys(folder.path(), more)).await;
    (folder, decoy)
}

fn keys(folder: &Path, more: &str) -> String {
    format!("listen = '127.0.0.1:0'\nhost_key = '{}'\n{more}", folder.join("host_key").display())
}

/// OpenSSH's client, which gives what the peers' script answers when asked for a password; what it says.
async fn ssh(decoy: &Watching, options: &[&str]) -> String {
    let port = decoy.address().port().to_string();
    let mut command = Command::new(peer("TELLTALE_TEST_SSH"));
    command.args(["-F", "/dev/null", "-p", &port, "-l", "c.moreau", "-o", "StrictHostKeyChecking=no"]);
    command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "NumberOfPasswordPrompts=1"]);
    command.args(options).args(["127.0.0.1", "true"]).env("SSH_ASKPASS", peer("TELLTALE_TEST_SSH_ASKPASS"));
    command.env("SSH_ASKPASS_REQUIRE", "force").stdin(Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "nobody is let in: {said}");
    said
}

/// Waits until this was refused: whoever is sent away may know it before it is counted.
async fn refused_once(decoy: &Watching, reason: &'static str) {
    for _ in 0..100 {
        if decoy.recorder.refused(reason) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(decoy.recorder.refused(reason), 1, "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_is_asked_for_a_password_and_refused() {
    let (_folder, decoy) = decoy("notice = 'Members of staff only.'").await;
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    for (number, way) in ["password", "keyboard-interactive"].iter().enumerate() {
        let preferred = format!("PreferredAuthentications={way}");
        let said = ssh(&decoy, &["-o", &preferred, "-o", "PubkeyAuthentication=no"]).await;
        assert!(said.contains("Permission denied (publickey,password,keyboard-interactive)."), "{said}");
        assert!(said.contains("Members of staff only."), "{said}");
        let touches = decoy.recorder.wait_for(number + 1).await;
        assert_eq!(touches.len(), number + 1, "one login is one touch");
        let touch = &touches[number];
        assert_eq!(presented(touch), [pair("username", "c.moreau"), pair("password", "Printemps 2026")]);
        assert_eq!((touch.service.as_str(), touch.reporter.as_str()), ("ssh", "127.0.0.1"));
        let evidence = format!("{way}\r\nuser name: c.moreau\r\npassword: Printemps 2026\r\n");
        assert_eq!(String::from_utf8_lossy(&touch.evidence), evidence);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_openssh_offers_are_told_by_their_fingerprints() {
    let (folder, decoy) = decoy("").await;
    let mut prints = Vec::new();
    for (name, kind) in [("one", "ed25519"), ("two", "rsa")] {
        let path = folder.path().join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(&path).status().await;
        assert!(made.unwrap().success());
        let told = Command::new("ssh-keygen").arg("-lf").arg(&path).output().await.unwrap();
        prints.push(String::from_utf8(told.stdout).unwrap().split(' ').nth(1).unwrap().to_owned());
    }
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let offered = ["-i", one.to_str().unwrap(), "-i", two.to_str().unwrap()];
    let only = ["-o", "IdentitiesOnly=yes", "-o", "PreferredAuthentications=publickey"];
    ssh(&decoy, &[&offered[..], &only[..]].concat()).await;
    let touches = decoy.recorder.wait_for(2).await;
    for (touch, print) in touches.iter().zip(&prints) {
        let evidence = String::from_utf8_lossy(&touch.evidence);
        assert!(evidence.starts_with("publickey ") && evidence.contains(print.as_str()), "{evidence} {print}");
        assert_eq!(presented(touch), [("username".to_owned(), "c.moreau".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nothing_was_presented_with_is_told_once() {
    let (_folder, decoy) = decoy("").await;
    ssh(&decoy, &["-o", "PreferredAuthentications=none", "-o", "BatchMode=yes"]).await;
    let touches = decoy.recorder.wait_for(1).await;
    assert_eq!(presented(&touches[0]), [("username".to_owned(), "c.moreau".to_owned())]);
    assert!(touches[0].evidence.starts_with(b"none\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_names_is_told() {
    let (_folder, decoy) = decoy("").await;
    let mut session = session(&decoy).await;
    for name in ["c.moreau", "c.moreau", "a.petit", "j.blanc"] {
        session.authenticate_none(name).await.unwrap();
    }
    session.authenticate_password("b.roux", "Printemps 2026").await.unwrap();
    let names: Vec<String> = decoy.recorder.touches().iter().map(|touch| presented(touch)[0].1.clone()).collect();
    assert_eq!(names, ["c.moreau", "a.petit", "j.blanc", "b.roux"]);
    assert!(decoy.recorder.touches()[1].evidence.starts_with(b"none\r\n"));
}

async fn session(decoy: &Watching) -> Handle<Anybody> {
    client::connect(Arc::new(client::Config::default()), decoy.address(), Anybody).await.unwrap()
}

/// What a client is told of every way of logging in.
async fn answers(decoy: &Watching, name: &str) -> Vec<String> {
    let key = Arc::new(PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap());
    let mut session = session(decoy).await;
    let mut told = vec![format!("{:?}", session.authenticate_none(name).await.unwrap())];
    told.push(format!("{:?}", session.authenticate_password(name, "Printemps 2026").await.unwrap()));
    let asked = session.authenticate_keyboard_interactive_start(name, None).await.unwrap();
    assert!(matches!(asked, KeyboardInteractiveAuthResponse::InfoRequest { .. }), "{asked:?}");
    told.push(format!("{asked:?}"));
    let refused = session.authenticate_keyboard_interactive_respond(vec!["Printemps 2026".to_owned()]).await.unwrap();
    assert!(matches!(refused, KeyboardInteractiveAuthResponse::Failure { .. }), "{refused:?}");
    told.push(format!("{refused:?}"));
    let refused = session.authenticate_publickey(name, PrivateKeyWithHashAlg::new(key, None)).await.unwrap();
    assert!(matches!(refused, AuthResult::Failure { .. }), "{refused:?}");
    told.push(format!("{refused:?}"));
    let opened = tokio::time::timeout(Duration::from_secs(2), session.channel_open_session()).await;
    assert!(!matches!(opened, Ok(Ok(_))), "no session without a login");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_takes_the_same_steps_and_a_full_disk_changes_none() {
    let (_folder, decoy) = decoy("").await;
    let one = answers(&decoy, "c.moreau").await;
    assert_eq!(one, answers(&decoy, "somebody.else").await);
    assert_eq!(decoy.recorder.touches().len(), 6);
    decoy.recorder.failing.store(true, SeqCst);
    assert_eq!(one, answers(&decoy, "c.moreau").await);
    assert_eq!(decoy.recorder.refused("not_durable"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_six_refusals_the_client_is_sent_away() {
    let (_folder, decoy) = decoy("").await;
    let mut session = session(&decoy).await;
    let mut refused = 0;
    while refused < 20 && session.authenticate_password("c.moreau", format!("Printemps {refused}")).await.is_ok() {
        refused += 1;
    }
    // The client takes the last word for one more refusal.
    assert!((6..=7).contains(&refused), "{refused}");
    assert_eq!(decoy.recorder.touches().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_the_house_says_and_keeps_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut prints = Vec::new();
    for _ in 0..2 {
        let decoy = Watching::start("ssh", &keys(folder.path(), "banner = 'OpenSSH_8.4p1 Debian-5'")).await;
        let greeting = exchange(decoy.address(), b"GET / HTTP/1.1\r\n\r\n").await;
        assert!(greeting.starts_with(b"SSH-2.0-OpenSSH_8.4p1 Debian-5\r\n"), "{}", String::from_utf8_lossy(&greeting));
        refused_once(&decoy, "not_ssh").await;
        let port = decoy.address().port().to_string();
        let scan = Command::new("ssh-keyscan").args(["-T", "5", "-p", &port, "127.0.0.1"]).output().await.unwrap();
        let scan = String::from_utf8(scan.stdout).unwrap();
        let key = scan.lines().find(|line| line.contains("ssh-ed25519")).expect("a host key");
        prints.push(key.split(' ').next_back().unwrap().to_owned());
    }
    assert_eq!(prints[0], prints[1]);
    let mode = std::fs::metadata(folder.path().join("host_key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dribbles_is_closed_within_ten_seconds() {
    let (_folder, decoy) = decoy("").await;
    let mut stream = TcpStream::connect(decoy.address()).await.unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) && stream.write_all(b"S").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!((9..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    refused_once(&decoy, "too_slow").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dribbles_its_keys_is_closed_within_ten_seconds_too() {
    let (_folder, decoy) = decoy("").await;
    let mut stream = TcpStream::connect(decoy.address()).await.unwrap();
    // A line as it should be, and a message of which ever more is to come.
    stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n\x00\x00\x20\x00").await.unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(40) && stream.write_all(b"S").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!((9..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    refused_once(&decoy, "too_slow").await;
}
