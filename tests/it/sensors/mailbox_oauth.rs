//! A mailbox that is opened with tokens: by XOAUTH2 as Exchange Online and Gmail have it, and by OAUTHBEARER; a token that was taken
//! back is asked for anew.

use crate::sensors::{
    clouds::{Cloud, until},
    observer::{Watching, presented},
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

const MAIL: &str = "Delivered-To: alias@example.org\r\n\r\nbody\r\n";

/// A server that knows this mechanism and takes this token alone; with what it was shown.
async fn server(mechanism: &'static str, taken: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shown: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = shown.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let (input, mut output) = stream.split();
                let mut lines = BufReader::new(input).lines();
                let _ = output.write_all(b"* OK hello\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
                    let said = match command.split(' ').next().unwrap_or_default() {
                        "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 AUTH={mechanism}\r\n{tag} OK done\r\n"),
                        "AUTHENTICATE" => {
                            assert_eq!(command, format!("AUTHENTICATE {mechanism}"));
                            let _ = output.write_all(b"+ \r\n").await;
                            let Ok(Some(line)) = lines.next_line().await else { return };
                            let told = String::from_utf8(STANDARD.decode(line).unwrap()).unwrap();
                            seen.lock().unwrap().push(told.clone());
                            if told.contains(&format!("auth=Bearer {taken}\x01\x01")) {
                                format!("{tag} OK in\r\n")
                            } else {
                                let _ = output.write_all(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n").await;
                                assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(""));
                                format!("{tag} NO out\r\n")
                            }
                        }
                        "EXAMINE" => format!("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n{tag} OK done\r\n"),
                        "UID" if command.contains("SIZE") => {
                            format!("* 1 FETCH (UID 1 RFC822.SIZE 40)\r\n{tag} OK done\r\n")
                        }
                        "UID" => {
                            format!("* 1 FETCH (UID 1 BODY[]<0> {{{}}}\r\n{MAIL})\r\n{tag} OK done\r\n", MAIL.len())
                        }
                        "LOGIN" => panic!("a token is no password"),
                        _ => format!("{tag} OK done\r\n"),
                    };
                    if output.write_all(said.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let keys = format!(
        "url = 'imap://{address}'\nuser = 'catchall@example.org'\nstarttls = false\nevery = '50ms'\n\
         allow_private = ['127.0.0.0/8']\ntenant = 'house.example.org'\nclient = 'app-1'\nsecret = 's3cret'"
    );
    (keys, shown)
}

/// Gives a first token, then a second.
async fn authority() -> Arc<Cloud> {
    let given = AtomicUsize::new(0);
    Cloud::start(move |_| {
        let number = given.fetch_add(1, SeqCst) + 1;
        let body = format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":3600}}"#);
        Response::builder().header("content-type", "application/json").body(Body::from(body)).unwrap()
    })
    .await
}

#[tokio::test]
async fn a_mailbox_is_opened_with_a_token_of_the_application() {
    for (mechanism, begins) in
        [("XOAUTH2", "user=catchall@example.org\x01"), ("OAUTHBEARER", "n,a=catchall@example.org,\x01")]
    {
        let authority = authority().await;
        let (keys, shown) = server(mechanism, "token-1").await;
        let mailbox = Watching::start("mailbox", &format!("{keys}\nlogin = 'http://{}'", authority.address)).await;
        let touches = mailbox.recorder.wait_for(1).await;
        assert_eq!(presented(&touches[0])[0].1, "alias@example.org");
        assert!(shown.lock().unwrap()[0].starts_with(begins), "{:?}", shown.lock().unwrap());
        let asked = authority.asked("/house.example.org/oauth2/v2.0/token");
        let form = String::from_utf8(asked[0].body.to_vec()).unwrap();
        assert!(
            form.contains("scope=https%3A%2F%2Foutlook.office365.com%2F.default") && form.contains("client_id=app-1"),
            "{form}"
        );
    }
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_asked_for_anew() {
    let authority = authority().await;
    let (keys, shown) = server("XOAUTH2", "token-2").await;
    let mailbox = Watching::start("mailbox", &format!("{keys}\nlogin = 'http://{}'", authority.address)).await;
    mailbox.recorder.wait_for(1).await;
    until("the first one was refused", || mailbox.recorder.refused("login_refused") == 1).await;
    assert_eq!(shown.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_takes_no_tokens_is_shown_none() {
    let authority = authority().await;
    let (keys, shown) = server("PLAIN", "token-1").await;
    let mailbox = Watching::start("mailbox", &format!("{keys}\nlogin = 'http://{}'", authority.address)).await;
    until("it is told", || mailbox.recorder.refused("no_token") > 0).await;
    assert!(shown.lock().unwrap().is_empty() && mailbox.recorder.touches().is_empty());
}
