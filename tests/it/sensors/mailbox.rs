//! The mailbox sensor, against a real Dovecot.

use crate::{
    sensors::observer::{Recorder, Watching, build, presented},
    stores::rows::{peer, unique_name},
};
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};
use telltale::domain::sighting::{Class, Touch};
use tokio::process::Command;

/// A folder of its own in the mailbox, made and filled by Python's client.
pub struct Folder(String);

impl Folder {
    pub async fn new() -> Folder {
        let folder = Folder(format!("Catch {}", unique_name()));
        folder.python("client.create(folder)").await;
        folder
    }

    /// Runs a script, to which `client` is logged in and `folder` quoted.
    pub async fn python(&self, script: &str) -> String {
        let port = peer("TELLTALE_TEST_DOVECOT_PORT");
        let begin = format!(
            "import imaplib, time\nclient = imaplib.IMAP4('127.0.0.1', {port})\nclient.login('catchall', ('s \"e\\\\cret'))\nfolder = '\"{}\"'\n",
            self.0
        );
        let script = format!("{begin}{script}\nclient.logout()");
        let output = Command::new("python3").arg("-c").arg(script).output().await.expect("python3 runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        said
    }

    /// Puts a mail there, as if it had been delivered to this alias.
    pub async fn deliver(&self, alias: &str, body: &str) {
        let mail = format!(
            "Return-Path: <thief@example.com>\\r\\nDelivered-To: {alias}@example.org\\r\\nFrom: Thief <thief@example.com>\\r\\nTo: list@example.com\\r\\nSubject: =?utf-8?q?caf=C3=A9?=\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain; charset=utf-8\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n{}\\r\\n",
            data_encoding::BASE64.encode(body.as_bytes())
        );
        self.python(&format!("print(client.append(folder, None, imaplib.Time2Internaldate(1777630830), b'{mail}'))"))
            .await;
    }

    /// The keys of a sensor that reads it.
    pub fn keys(&self, url: &str) -> String {
        let ca = peer("TELLTALE_TEST_DOVECOT_CA");
        format!(
            "url = '{url}'\nuser = 'catchall'\npassword = 's \"e\\cret'\nfolder = '{}'\nca = '{ca}'\nallow_private = ['127.0.0.0/8']\nevery = '300ms'",
            self.0
        )
    }

    async fn watch(&self, recorder: &Arc<Recorder>) -> Watching {
        Watching::start_with(recorder.clone(), "mailbox", &self.keys(&imaps())).await
    }
}

/// The server, with TLS from the first byte.
pub fn imaps() -> String {
    format!("imaps://127.0.0.1:{}", peer("TELLTALE_TEST_DOVECOT_TLS_PORT"))
}

fn clear() -> String {
    format!("imap://127.0.0.1:{}", peer("TELLTALE_TEST_DOVECOT_PORT"))
}

fn aliases(touches: &[Touch]) -> Vec<String> {
    let firsts = touches.iter().filter(|touch| !touch.text.is_empty());
    firsts.map(|touch| presented(touch)[0].1.trim_end_matches("@example.org").to_owned()).collect()
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 20 s");
}

#[tokio::test]
async fn each_mail_is_told_once_and_new_ones_at_once() {
    let folder = Folder::new().await;
    folder.deliver("first", "the key of é").await;
    let (recorder, _) = Recorder::new();
    let _mailbox = folder.watch(&recorder).await;
    let touches = recorder.wait_for(2).await;
    assert_eq!(aliases(&touches), ["first"]);
    assert_eq!(presented(&touches[1]), [("work_email".to_owned(), "list@example.com".to_owned())]);
    let touch = &touches[0];
    assert_eq!((touch.class, touch.source_ip, touch.service.as_str()), (Class::Mail, None, "imap"));
    assert_eq!((touch.reporter.clone(), touch.at.to_string()), (imaps(), "2026-05-01T10:20:30Z".to_owned()));
    let text = String::from_utf8_lossy(&touch.text);
    assert!(text.contains("the key of é") && text.contains("café"), "{text}");
    assert!(
        touch.evidence.starts_with(b"MAIL FROM:<thief@example.com>\r\nRCPT TO:<first@example.org>\r\n\r\nReturn-Path")
    );
    // Told by the server: a connection that only looks waits for a minute at least.
    let began = Instant::now();
    folder.deliver("second", "more").await;
    recorder.wait_for(4).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(aliases(&recorder.touches()), ["first", "second"]);
    let unseen = folder.python("client.select(folder)\nprint(client.search(None, 'UNSEEN'))").await;
    assert!(unseen.contains("b'1 2'"), "nothing is changed there: {unseen}");
    assert_eq!(*recorder.unable.lock().unwrap(), None);
}

#[tokio::test]
async fn after_a_crash_nothing_is_missed_and_nothing_told_twice() {
    let folder = Folder::new().await;
    folder.deliver("first", "one").await;
    let (recorder, _) = Recorder::new();
    let mailbox = folder.watch(&recorder).await;
    recorder.wait_for(2).await;
    until(|| !recorder.positions.lock().unwrap().is_empty()).await;
    recorder.failing.store(true, SeqCst);
    folder.deliver("second", "two").await;
    until(|| recorder.refused("not_durable") > 0).await;
    // It dies with the mail read and nothing of it durable.
    mailbox.running.task.abort();
    drop(mailbox);
    recorder.failing.store(false, SeqCst);
    let position = recorder.positions.lock().unwrap()["mailbox"].to_string();
    assert!(!position.contains("example.org"), "nobody stands in it: {position}");
    folder.deliver("third", "three").await;
    let again = folder.watch(&recorder).await;
    recorder.wait_for(6).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(aliases(&recorder.touches()), ["first", "second", "third"]);
    drop(again);
    // What is durable is the touch and the place in one piece: a start from there tells nothing anew.
    let _third = folder.watch(&recorder).await;
    folder.deliver("fourth", "four").await;
    recorder.wait_for(8).await;
    assert_eq!(aliases(&recorder.touches()), ["first", "second", "third", "fourth"]);
}

#[tokio::test]
async fn a_folder_that_is_numbered_anew_is_not_told_anew() {
    let folder = Folder::new().await;
    for alias in ["first", "second"] {
        folder.deliver(alias, alias).await;
    }
    let (recorder, _) = Recorder::new();
    let mailbox = folder.watch(&recorder).await;
    recorder.wait_for(4).await;
    drop(mailbox);
    folder
        .python(
            "client.select(folder)\nkept = [client.fetch(str(number), '(BODY.PEEK[])')[1][0][1] for number in (2, 1)]\nclient.close()
client.delete(folder)\ntime.sleep(1.1)\nclient.create(folder)\nfor mail in kept: client.append(folder, None, None, mail)",
        )
        .await;
    folder.deliver("third", "third").await;
    let _again = folder.watch(&recorder).await;
    recorder.wait_for(6).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(aliases(&recorder.touches()), ["first", "second", "third"]);
    assert_eq!((recorder.refused("renumbered"), recorder.refused("mail_known")), (1, 2));
}

#[tokio::test]
async fn starttls_and_listed_networks_are_spoken_and_what_is_wrong_is_said() {
    let folder = Folder::new().await;
    folder.deliver("first", "one").await;
    for keys in [folder.keys(&clear()), folder.keys(&clear()) + "\nstarttls = false"] {
        let mailbox = Watching::start("mailbox", &keys).await;
        assert_eq!(aliases(&mailbox.recorder.wait_for(2).await), ["first"], "{keys}");
        build("mailbox", &keys).probe().await.expect("it is reached");
    }
    let own = folder.keys(&imaps());
    for (keys, wrong, unable) in [
        (own.replace("e\\cret", "other"), "refuses the login", "the_login_is_refused"),
        (own.replace("'Catch", "'None"), "does not open the folder", "the_mailbox_cannot_be_read"),
        (own.replace("\nallow_private = ['127.0.0.0/8']", ""), "allow_private", "the_mailbox_cannot_be_read"),
        (without_ca(&own), "no TLS", "the_mailbox_cannot_be_read"),
    ] {
        let error = build("mailbox", &keys).probe().await.expect_err("it is not").to_string();
        assert!(error.contains(wrong) && !error.contains("other"), "{error}");
        let mailbox = Watching::start("mailbox", &keys).await;
        until(|| mailbox.recorder.unable.lock().unwrap().is_some()).await;
        assert_eq!(*mailbox.recorder.unable.lock().unwrap(), Some(unable), "{error}");
        assert_eq!(mailbox.recorder.touches().len(), 0);
    }
}

fn without_ca(keys: &str) -> String {
    keys.lines().filter(|line| !line.starts_with("ca = ")).collect::<Vec<_>>().join("\n")
}
