//! The mailbox sensor before a server that means it harm, and its configuration.

use crate::sensors::observer::{Recorder, Watching, build, presented};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use telltale::{
    domain::{mail::Checked, secret::with_literals, section::Section, sighting::Touch},
    sensors,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

/// A server that answers each command as the test says: `$` stands for its tag. Commands that the test leaves to it are answered
/// as they should be, of a mailbox with one mail.
async fn server(greeting: &'static [u8], answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let (input, mut output) = stream.split();
                let _ = output.write_all(greeting).await;
                let mut lines = BufReader::new(input).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
                    let said = answer(command).unwrap_or_else(|| as_it_should(command));
                    let mut bytes = Vec::new();
                    for part in said.split_inclusive(|byte| *byte == b'$') {
                        match part.strip_suffix(b"$") {
                            Some(part) => bytes.extend([part, tag.as_bytes()].concat()),
                            None => bytes.extend_from_slice(part),
                        }
                    }
                    if output.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!(
        "url = 'imap://{address}'\nuser = 'u'\npassword = 'p'\nstarttls = false\nevery = '50ms'\nallow_private = ['127.0.0.0/8']"
    )
}

fn as_it_should(command: &str) -> Vec<u8> {
    let said = match command.split(' ').next().unwrap_or_default() {
        "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n$ OK done\r\n".to_owned(),
        "EXAMINE" => "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n$ OK [READ-ONLY] done\r\n".to_owned(),
        "UID" if command.contains("SIZE") => {
            "* 1 FETCH (UID 1 RFC822.SIZE 40 INTERNALDATE \"01-May-2026 10:20:30 +0000\")\r\n$ OK done\r\n".to_owned()
        }
        "UID" => format!("* 1 FETCH (UID 1 BODY[]<0> {{{}}}\r\n{MAIL})\r\n$ OK done\r\n", MAIL.len()),
        _ => "$ OK done\r\n".to_owned(),
    };
    said.into_bytes()
}

const MAIL: &str = "Delivered-To: alias@example.org\r\n\r\nbody\r\n";
const HELLO: &[u8] = b"* OK hello\r\n";

async fn refuses(keys: &str, reason: &str) {
    let mailbox = Watching::start("mailbox", keys).await;
    for _ in 0..2000 {
        if mailbox.recorder.refused(reason) > 0 {
            assert_eq!(mailbox.recorder.touches().len(), 0, "{reason}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {reason}: {:?}", mailbox.recorder.refusals.lock().unwrap());
}

#[tokio::test]
async fn a_server_that_sends_for_ever_is_left() {
    let endless = |_: &str| Some(vec![b'a'; 4 * 1024 * 1024]);
    refuses(&server(HELLO, endless).await, "answer_too_large").await;
    let literal = |_: &str| Some([b"* 1 FETCH (BODY[] {4294967295}\r\n".to_vec(), vec![b'a'; 40 << 20]].concat());
    refuses(&server(HELLO, literal).await, "answer_too_large").await;
    let flood = |command: &str| command.contains("SIZE").then(|| b"* 9 EXISTS\r\n".repeat(4 << 20));
    refuses(&server(HELLO, flood).await, "answer_too_large").await;
}

#[tokio::test]
async fn nonsense_and_depth_lead_nowhere() {
    refuses(&server(b"220 mx ESMTP\r\n", |_| None).await, "answer_unreadable").await;
    refuses(&server(b"* BYE no\r\n", |_| None).await, "command_refused").await;
    refuses(
        &server(HELLO, |command| command.starts_with("EXAMINE").then(|| b"$ OK done\r\n".to_vec())).await,
        "folder_refused",
    )
    .await;
    // A parser that follows every parenthesis would run out of stack, and take the house with it.
    let deep = |command: &str| {
        let open = b"* 1 FETCH (BODYSTRUCTURE ".to_vec();
        command.starts_with("NOOP").then(|| [open, vec![b'('; 1 << 20], b"\r\n$ OK done\r\n".to_vec()].concat())
    };
    let mailbox = Watching::start("mailbox", &server(HELLO, deep).await).await;
    assert_eq!(mailbox.recorder.wait_for(1).await.len(), 1);
}

#[tokio::test]
async fn a_mail_with_bytes_that_no_mail_has_is_read_all_the_same() {
    let odd = |command: &str| {
        let mail = b"Delivered-To: alias@example.org\r\n\r\n\0\xff\r\n";
        let told = format!("* 1 FETCH (UID 1 BODY[]<0> {{{}}}\r\n", mail.len());
        let wanted = command.contains("BODY");
        wanted.then(|| [told.as_bytes(), mail, b" FLAGS (\x01))\r\n$ OK done\r\n"].concat())
    };
    let mailbox = Watching::start("mailbox", &server(HELLO, odd).await).await;
    let touches = mailbox.recorder.wait_for(1).await;
    assert_eq!(presented(&touches[0])[0].1, "alias@example.org");
    assert!(touches[0].evidence.ends_with(b"\0\xff\r\n"));
}

#[tokio::test]
async fn what_comes_in_clear_behind_starttls_is_not_taken_for_protected() {
    let injected = |command: &str| match command {
        "CAPABILITY" => Some(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n$ OK done\r\n".to_vec()),
        "STARTTLS" => Some(b"$ OK begin\r\n* OK [UIDVALIDITY 1] ok\r\nt4 OK logged in\r\n".to_vec()),
        _ => None,
    };
    let keys = server(HELLO, injected).await;
    refuses(&keys.replace("starttls = false\n", ""), "answer_unreadable").await;
    // The password is not told to a server that offers no protection.
    let keys = server(HELLO, |command| {
        assert!(!command.starts_with("LOGIN"), "told in clear");
        None
    });
    refuses(&keys.await.replace("starttls = false\n", ""), "tls_failed").await;
}

#[tokio::test]
async fn a_mail_that_cannot_be_had_is_left_in_the_end() {
    let ill = Arc::new(AtomicBool::new(true));
    let is_ill = ill.clone();
    let broken = move |command: &str| {
        let closes = command.contains("BODY") && command.contains("FETCH 1 ") && is_ill.load(SeqCst);
        let two = command
            .contains("SIZE")
            .then(|| b"* 1 FETCH (UID 1 RFC822.SIZE 40)\r\n* 2 FETCH (UID 2 RFC822.SIZE 40)\r\n$ OK done\r\n".to_vec());
        if closes { Some(b"* BYE it is broken\r\n".to_vec()) } else { two }
    };
    let mailbox = Watching::start("mailbox", &server(HELLO, broken).await).await;
    let touches = mailbox.recorder.wait_for(1).await;
    assert_eq!((touches.len(), mailbox.recorder.refused("mail_given_up")), (1, 1));
    // It is told of for as long as it cannot be had, and is no mail that was read.
    let until = Instant::now() + Duration::from_secs(20);
    while *mailbox.recorder.unable.lock().unwrap() != Some("a_mail_cannot_be_fetched") && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(*mailbox.recorder.unable.lock().unwrap(), Some("a_mail_cannot_be_fetched"));
    ill.store(false, SeqCst);
    mailbox.recorder.wait_for(2).await;
    while mailbox.recorder.unable.lock().unwrap().is_some() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(*mailbox.recorder.unable.lock().unwrap(), None, "it was had in the end");
}

/// A listing of so many mails.
fn listed(mails: u32) -> Vec<u8> {
    let lines: String =
        (1..=mails).map(|number| format!("* {number} FETCH (UID {number} RFC822.SIZE 40)\r\n")).collect();
    (lines + "$ OK done\r\n").into_bytes()
}

#[tokio::test]
async fn a_mail_that_can_never_be_had_keeps_no_other_from_being_tried_again() {
    let (ill, more) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (is_ill, are_more) = (ill.clone(), more.clone());
    let broken = move |command: &str| {
        if command.contains("SIZE") {
            return Some(listed(if are_more.load(SeqCst) { 3 } else { 2 }));
        }
        let number: u32 = command.strip_prefix("UID FETCH ")?.split(' ').next()?.parse().ok()?;
        if number == 1 || number == 3 && is_ill.load(SeqCst) {
            return Some(b"* BYE it is broken\r\n".to_vec());
        }
        let mail = format!("Delivered-To: a{number}@example.org\r\n\r\nbody\r\n");
        let told = format!("* 1 FETCH (UID {number} BODY[]<0> {{{}}}\r\n{mail})\r\n$ OK done\r\n", mail.len());
        Some(told.into_bytes())
    };
    let mailbox = Watching::start("mailbox", &server(HELLO, broken).await).await;
    mailbox.recorder.wait_for(1).await;
    let until = Instant::now() + Duration::from_secs(30);
    while mailbox.recorder.unable.lock().unwrap().is_none() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    more.store(true, SeqCst);
    while mailbox.recorder.refused("mail_given_up") < 2 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(mailbox.recorder.refused("mail_given_up"), 2);
    ill.store(false, SeqCst);
    let touches = mailbox.recorder.wait_for(2).await;
    assert_eq!(presented(&touches[1])[0].1, "a3@example.org");
}

#[tokio::test]
async fn silent_name_servers_hold_up_a_mailbox_for_so_long_and_no_longer() {
    const MAILS: u32 = 12;
    let names = crate::support::names::Names::start(&["SILENCE"]).await;
    let full = |command: &str| {
        if command.contains("SIZE") {
            return Some(listed(MAILS));
        }
        let number: u32 = command.strip_prefix("UID FETCH ")?.split(' ').next()?.parse().ok()?;
        let mail = format!("Delivered-To: a{number}@example.org\r\nFrom: a@s{number}.example\r\n\r\nbody\r\n");
        let told = format!("* 1 FETCH (UID {number} BODY[]<0> {{{}}}\r\n{mail})\r\n$ OK done\r\n", mail.len());
        Some(told.into_bytes())
    };
    let keys = format!("{}\nresolver = '{}'", server(HELLO, full).await, names.address);
    let mailbox = Watching::start("mailbox", &keys).await;
    // Each would wait for some three seconds.
    let touches = mailbox.recorder.wait_for(MAILS as usize).await;
    let unknown = |touch: &Touch| touch.mail.as_ref().and_then(|mail| mail.origin.clone()).map(|origin| origin.dmarc);
    assert!(touches.iter().all(|touch| unknown(touch) == Some(Checked::TempError)));
    assert!(!names.asked().iter().any(|question| question.contains(&format!("s{MAILS}.example"))));
}

#[tokio::test]
async fn a_stop_waits_for_the_mail_in_hand_and_leaves_what_it_cannot_make_durable() {
    let fetched = Arc::new(AtomicBool::new(false));
    let seen = fetched.clone();
    let keys = server(HELLO, move |command| {
        seen.fetch_or(command.contains("BODY"), SeqCst);
        None
    });
    let keys = keys.await;
    let (recorder, _) = Recorder::new();
    recorder.stalled.store(true, SeqCst);
    let mut mailbox = Watching::start_with(recorder.clone(), "mailbox", &keys).await;
    while !fetched.load(SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    mailbox.stop.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(recorder.positions.lock().unwrap().is_empty(), "not read before it is durable");
    recorder.failing.store(true, SeqCst);
    recorder.stalled.store(false, SeqCst);
    (&mut mailbox.running.task).await.unwrap().expect("it stops");
    recorder.failing.store(false, SeqCst);
    assert!(recorder.touches().is_empty() && recorder.positions.lock().unwrap().is_empty());

    recorder.stalled.store(true, SeqCst);
    fetched.store(false, SeqCst);
    let mut again = Watching::start_with(recorder.clone(), "mailbox", &keys).await;
    while !fetched.load(SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    again.stop.cancel();
    recorder.stalled.store(false, SeqCst);
    (&mut again.running.task).await.unwrap().expect("it stops");
    assert_eq!(recorder.touches().len(), 1, "what was in hand is told");
    let _third = Watching::start_with(recorder.clone(), "mailbox", &keys).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(recorder.touches().len(), 1, "and told once");
}

#[tokio::test]
async fn many_mails_are_asked_for_in_windows_and_told_once_under_new_numbers() {
    const MAILS: u32 = 700;
    let anew = Arc::new(AtomicBool::new(false));
    let numbered = anew.clone();
    // Numbers with a wide gap, and of the second time other ones.
    let keys = server(HELLO, move |command| {
        let shift = if numbered.load(SeqCst) { 1 } else { 2_000_000 };
        let last = shift + MAILS - 1;
        if command.starts_with("EXAMINE") {
            return Some(format!("* OK [UIDVALIDITY {shift}] ok\r\n$ OK done\r\n").into_bytes());
        }
        let numbers = command.strip_prefix("UID FETCH ")?.split(' ').next()?.replace('*', &last.to_string());
        let (from, to) = numbers.split_once(':').unwrap_or((&numbers, &numbers));
        let (from, to): (u32, u32) = (from.parse().unwrap(), to.parse().unwrap());
        assert!(to - from < 64 * 1024, "everything is asked for at once: {command}");
        let mut said = String::new();
        for number in from.max(shift)..=to.min(last) {
            let mail = format!("Delivered-To: a{}@example.org\r\n\r\n", number - shift);
            said += &match command.contains("SIZE") {
                true => format!("* 1 FETCH (UID {number} RFC822.SIZE 40)\r\n"),
                false => format!("* 1 FETCH (UID {number} BODY[]<0> {{{}}}\r\n{mail})\r\n", mail.len()),
            };
        }
        Some((said + "$ OK done\r\n").into_bytes())
    });
    let keys = keys.await;
    let (recorder, _) = Recorder::new();
    let mailbox = Watching::start_with(recorder.clone(), "mailbox", &keys).await;
    recorder.wait_for(MAILS as usize).await;
    drop(mailbox);
    anew.store(true, SeqCst);
    let _again = Watching::start_with(recorder.clone(), "mailbox", &keys).await;
    for _ in 0..2000 {
        if recorder.refused("mail_known") == MAILS as usize {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((recorder.refused("mail_known"), recorder.touches().len()), (MAILS as usize, MAILS as usize));
}

#[test]
fn a_wrong_key_is_named() {
    let told = |keys: &str| {
        let keys = format!("user = 'u'\npassword = 'p'\n{keys}").parse().unwrap();
        let section = Section { name: "m".into(), keys, folder: PathBuf::from(".") };
        let entry = sensors::ALL.iter().find(|entry| entry.kind == "mailbox").unwrap();
        with_literals(true, || (entry.build)(&section)).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(told("url = 'imaps://imap.example.org'"), "");
    assert!(told("url = 'https://imap.example.org'").starts_with("url: "));
    assert!(told("url = 'imaps://u:p@imap.example.org'").starts_with("url: "));
    assert!(told("url = 'imap://imap.example.org'\nstarttls = false").starts_with("starttls: "));
    assert!(told("url = 'imap://10.0.0.1'\nstarttls = false").starts_with("starttls: "));
    assert_eq!(told("url = 'imap://10.0.0.1'\nstarttls = false\nallow_private = ['10.0.0.0/8']"), "");
    assert!(told("url = 'imaps://h.example.org'\nstarttls = true").starts_with("starttls: "));
    assert!(told("url = 'imaps://h.example.org'\nfolder = 'É'").starts_with("folder: "));
    assert!(told("url = 'imaps://h.example.org'\nevery = 'soon'").starts_with("every: "));
    for keys in ["tenant = 't'", "service_account = '{}'"] {
        assert!(told(&format!("url = 'imaps://h.example.org'\n{keys}")).starts_with("password: "), "one way in");
    }
    drop(build("mailbox", "url = 'imaps://h.example.org'\nuser = 'u'\npassword = 'p'"));
}
