//! The decoy file server, as Python's client and a hostile one see it.

use crate::sensors::{
    door::{python, with_tls},
    observer::{Watching, exchange, presented},
};
use std::sync::atomic::Ordering::SeqCst;

const KEYS: &str = "listen = '127.0.0.1:0'\nbanner = 'ProFTPD Server ready.'";

#[tokio::test]
async fn pythons_client_is_refused() {
    let ftp = Watching::start("ftp", KEYS).await;
    let said = python(
        "import ftplib
client = ftplib.FTP()
print(client.connect('127.0.0.1', port))
for word in ('secret', 'another word'):
    try: client.login('c.moreau', word)
    except ftplib.error_perm as error: print(error)
try: client.nlst()
except ftplib.error_perm as error: print(error)
client.quit()",
        &ftp,
    )
    .await;
    assert!(said.contains("220 ProFTPD Server ready."), "{said}");
    assert_eq!(said.matches("530 Login incorrect.").count(), 2, "{said}");
    let touches = ftp.recorder.touches();
    assert_eq!(touches.len(), 2);
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    assert_eq!(presented(&touches[1]), [pair("username", "c.moreau"), pair("password", "another word")]);
    assert_eq!(touches[0].service, "ftp");
}

#[tokio::test]
async fn tls_is_spoken_when_it_is_asked_for_and_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ftp = with_tls("ftp", folder.path(), false).await;
    let script = "import ftplib
client = ftplib.FTP_TLS(context=tls)
client.connect('127.0.0.1', port)
try: client.login('c.moreau', 'secret')
except ftplib.error_perm as error: print(error)
print(client.prot_p())
client.quit()";
    let said = python(script, &ftp).await;
    assert!(said.contains("530 Login incorrect.") && said.contains("200 PROT"), "{said}");
    assert_eq!(ftp.recorder.touches().len(), 1);
    let ftp = with_tls("ftp", folder.path(), true).await;
    let script = "import socket
stream = tls.wrap_socket(socket.create_connection(('127.0.0.1', port)))
print(stream.recv(99).decode())
stream.sendall(b'USER c.moreau\\r\\nPASS secret\\r\\nQUIT\\r\\n')
while more := stream.recv(99): print(more.decode())";
    let said = python(script, &ftp).await;
    assert!(said.contains("220 ") && said.contains("530 Login incorrect."), "{said}");
    // Commands in clear behind the wish for TLS are not taken for sent under it.
    let ftp = with_tls("ftp", folder.path(), false).await;
    exchange(ftp.address(), b"AUTH TLS\r\nUSER a\r\nPASS b\r\n").await;
    assert!(ftp.recorder.touches().is_empty());
    assert_eq!(ftp.recorder.refused("improper_pipelining"), 1);
}

#[tokio::test]
async fn a_name_alone_is_a_touch_and_a_full_disk_changes_nothing() {
    let ftp = Watching::start("ftp", KEYS).await;
    let said = async |text: &str| String::from_utf8(exchange(ftp.address(), text.as_bytes()).await).unwrap();
    let answer = said("USER first\r\nUSER second\r\nSYST\r\nQUIT\r\n").await;
    let lines: Vec<&str> = answer.lines().skip(1).collect();
    let please = "331 Please specify the password.";
    assert_eq!(lines, [please, please, "530 Please login with USER and PASS.", "221 Goodbye."]);
    let names: Vec<_> = ftp.recorder.touches().iter().map(|touch| presented(touch)[0].1.clone()).collect();
    assert_eq!(names, ["first", "second"]);
    let usual = said("USER a\r\nPASS b\r\nQUIT\r\n").await;
    ftp.recorder.failing.store(true, SeqCst);
    assert_eq!(said("USER a\r\nPASS b\r\nQUIT\r\n").await, usual);
    assert_eq!(said("PASS b\r\n").await.lines().nth(1), Some("503 Login with USER first."));
    assert_eq!(said(&"\u{0}\r\n".repeat(100)).await.lines().count(), 22);
}
