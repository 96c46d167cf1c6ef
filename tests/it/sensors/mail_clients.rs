//! Mail clients that people really use, against the mail server: swaks, Python's smtplib, lettre; in clear and with
//! STARTTLS.

use crate::sensors::{observer::Watching, smtp::KEYS};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor, transport::smtp::client};
use std::{fs, path::Path};
use telltale::domain::sighting::Class;
use tokio::process::Command;

fn peer(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run (tests/peers/swaks.sh)"))
}

/// Writes a fresh certificate for 127.0.0.1 and localhost into `folder`.
pub fn certify(folder: &Path) -> Vec<u8> {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    made.cert.der().to_vec()
}

async fn with_tls(folder: &Path) -> (Watching, Vec<u8>) {
    let certificate = certify(folder);
    let keys = format!(
        "{KEYS}\ntls_cert = '{}'\ntls_key = '{}'",
        folder.join("cert.pem").display(),
        folder.join("key.pem").display()
    );
    (Watching::start("smtp", &keys).await, certificate)
}

async fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().await.expect("starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[tokio::test]
async fn swaks_delivers_in_clear_and_with_starttls() {
    let swaks = peer("TELLTALE_TEST_SWAKS");
    let folder = tempfile::tempdir().expect("a folder");
    let (smtp, _) = with_tls(folder.path()).await;
    let server = smtp.address().to_string();
    let to = "c.durand@courriel.example.org";
    run(&swaks, &["--server", &server, "--to", to, "--from", "a@example.net", "--body", "en clair"]).await;
    let text =
        run(&swaks, &["--server", &server, "--to", to, "--from", "a@example.net", "--body", "chiffré", "-tls"]).await;
    assert!(text.contains("TLS started"), "{text}");
    run(&swaks, &["--server", &server, "--to", to, "--from", "a@example.net", "--pipeline", "--body", "d'un trait"])
        .await;
    let touches = smtp.recorder.touches();
    assert_eq!(touches.len(), 3);
    for (touch, body) in touches.iter().zip(["en clair", "chiffré", "d'un trait"]) {
        assert!(String::from_utf8_lossy(&touch.text).contains(body));
    }
}

#[tokio::test]
async fn swaks_fails_to_log_in() {
    let swaks = peer("TELLTALE_TEST_SWAKS");
    let smtp = Watching::start("smtp", KEYS).await;
    let server = smtp.address().to_string();
    let arguments = ["--server", &server, "--to", "x@courriel.example.org", "-a", "-au", "jdoe", "-ap", "secret"];
    let output = Command::new(swaks).args(arguments).output().await.expect("starts");
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("535"));
    let touches = smtp.recorder.touches();
    assert!(!touches.is_empty() && touches.iter().all(|touch| touch.class == Class::Login));
    assert_eq!(touches[0].presented[1].value, "secret");
}

#[tokio::test]
async fn pythons_smtplib_delivers_with_starttls() {
    let python = peer("TELLTALE_TEST_PYTHON");
    let folder = tempfile::tempdir().expect("a folder");
    let (smtp, _) = with_tls(folder.path()).await;
    let script = "import smtplib, ssl, sys\n\
        from email.message import EmailMessage\n\
        s = smtplib.SMTP('localhost', int(sys.argv[1]))\n\
        context = ssl.create_default_context(cafile=sys.argv[2])\n\
        s.starttls(context=context)\n\
        m = EmailMessage(); m['From'] = 'a@example.net'; m['To'] = 'b@courriel.example.org'; m['Subject'] = 'été'\n\
        m.set_content('numéro 123456')\n\
        m.add_alternative('<p>numéro <b>654321</b></p>', subtype='html')\n\
        m.add_attachment(b'%PDF', maintype='application', subtype='pdf', filename='paie.pdf')\n\
        assert s.send_message(m, to_addrs=['b@courriel.example.org', 'c@courriel.example.org']) == {}\n\
        try: s.sendmail('a@example.net', ['x@example.net'], 'x'); sys.exit('relayed')\n\
        except smtplib.SMTPRecipientsRefused: pass\n\
        s.quit()";
    let port = smtp.address().port().to_string();
    run(&python, &["-c", script, &port, &folder.path().join("cert.pem").display().to_string()]).await;
    let touches = smtp.recorder.touches();
    assert_eq!(touches.len(), 2);
    let text = String::from_utf8_lossy(&touches[0].text);
    for wanted in ["été", "numéro 123456", "numéro 654321", "paie.pdf"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (smtp, old) = with_tls(folder.path()).await;
    deliver(&smtp, &old).await.expect("delivered under the first certificate");
    fs::write(folder.path().join("cert.pem"), "half a file").expect("written");
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    deliver(&smtp, &old).await.expect("a broken file leaves the old certificate in use");
    let new = certify(folder.path());
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    deliver(&smtp, &new).await.expect("delivered under the new certificate");
    assert!(deliver(&smtp, &old).await.is_err(), "the old certificate is still shown");
    assert_eq!(smtp.recorder.touches().len(), 3);
}

async fn deliver(smtp: &Watching, certificate: &[u8]) -> Result<(), lettre::transport::smtp::Error> {
    let root = client::Certificate::from_der(certificate.to_vec())?;
    let tls = client::TlsParameters::builder("localhost".to_owned())
        .certificate_store(client::CertificateStore::None)
        .add_root_certificate(root)
        .build()?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(smtp.address().port())
        .tls(client::Tls::Required(tls))
        .build();
    let mail = Message::builder()
        .from("a@example.net".parse().expect("an address"))
        .to("d@courriel.example.org".parse().expect("an address"))
        .subject("x")
        .body("y".to_owned())
        .expect("a mail");
    transport.send(mail).await.map(drop)
}
