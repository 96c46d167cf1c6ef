//! Mail, as a real SMTP server receives it and a real mail parser reads it.

use super::{
    alerts::{alert, build, hostile, peer, revealing, test_alert},
    digest::of_twelve,
    receiver::{Manner, Receiver},
};
use mail_parser::MessageParser;
use telltale::{
    domain::alert::Alert,
    sinks::sink::{Sink, SinkError},
};

fn email(server: &str, more: &str) -> Box<dyn Sink> {
    let url = peer(&format!("TELLTALE_TEST_SMTP_{server}"));
    let ca = peer("TELLTALE_TEST_SMTP_CA");
    let text = format!(
        "smtp = '{url}'\nca = '{ca}'\nfrom = 'Telltale <telltale@example.org>'\nallow_private = ['127.0.0.0/8']\n{more}"
    );
    build("email", &text).unwrap()
}

/// The mails whose Message-ID has this word, oldest first.
pub fn mails(word: &str) -> Vec<String> {
    let mut mails: Vec<(u64, String)> = std::fs::read_dir(peer("TELLTALE_TEST_SMTP_FOLDER"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().parse().unwrap(), std::fs::read_to_string(path).unwrap())
        })
        .filter(|(_, text): &(u64, String)| text.contains(&format!("Message-ID: <{word}")))
        .collect();
    mails.sort();
    mails.into_iter().map(|(_, text)| text).collect()
}

pub fn named(text: &str) -> Alert {
    Alert { id: format!("a-{}", uuid::Uuid::now_v7().simple()), ..alert(text) }
}

#[tokio::test]
async fn mails_arrive_in_the_clear_by_starttls_and_by_tls() {
    let login = "user = 'telltale'\npassword = \"a test's word\"";
    for (server, more, tls, user) in [
        ("PLAIN", "", "False", "None"),
        ("STARTTLS", login, "True", "True"),
        ("TLS", login, "True", "True"),
        ("STARTTLS", "", "True", "None"),
    ] {
        let alert = named("");
        let sink = email(server, &format!("to = ['soc@example.org', 'Chef <chef@example.org>']\n{more}"));
        assert_eq!(sink.send(&alert).await.unwrap().status, Some(250));
        let mails = mails(&alert.id);
        assert_eq!(mails.len(), 2, "one a recipient");
        assert!(mails.iter().all(|mail| mail.contains(&format!(" tls={tls} user={user}"))), "{:.200}", mails[0]);
        let mail = MessageParser::default().parse(&mails[0]).unwrap();
        let subject = mail.subject().unwrap();
        assert!(
            subject.starts_with("[Telltale] CRITICAL payroll leaked")
                || subject.starts_with("[Telltale] CRITICAL leak"),
            "{subject}"
        );
        assert_eq!(mail.date().unwrap().to_rfc3339(), "2026-11-23T20:00:00Z");
        assert!(mail.body_text(0).unwrap().contains("log10 LR 9.2"));
        assert!(mail.body_html(0).unwrap().contains("<td>payroll</td>"));
    }
}

#[tokio::test]
async fn a_digest_is_mailed_with_all_its_incidents() {
    let alert = Alert { id: named("").id, ..of_twelve() };
    email("PLAIN", "to = 'soc@example.org'").send(&alert).await.unwrap();
    let mails = mails(&alert.id);
    let mail = MessageParser::default().parse(&mails[0]).unwrap();
    for number in 0..12 {
        let line = format!(" i-{number}, ");
        assert!(mail.body_text(0).unwrap().contains(&line) && mail.body_html(0).unwrap().contains(&line), "{line}");
    }
}

#[tokio::test]
async fn hostile_text_makes_no_header_and_no_markup() {
    let sink = email("PLAIN", "to = 'soc@example.org'");
    for text in hostile() {
        let alert = named(&text);
        sink.send(&alert).await.unwrap();
        let mails = mails(&alert.id);
        assert_eq!(mails.len(), 1);
        let mail = MessageParser::default().parse(&mails[0]).unwrap();
        let names: Vec<_> = mail.headers().iter().map(|header| header.name().to_lowercase()).collect();
        let known =
            ["x-envelope", "from", "subject", "date", "message-id", "references", "to", "mime-version", "content-type"];
        assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
        assert!(mail.subject().unwrap().chars().count() <= 200 && !mail.subject().unwrap().contains(char::is_control));
        assert!(mails[0].contains("X-Envelope: telltale@example.org soc@example.org "));
        assert!(!mail.body_html(0).unwrap().contains("<script"));
    }
}

#[tokio::test]
async fn a_revealed_value_stands_in_text_and_markup() {
    let sink = email("PLAIN", "to = 'soc@example.org'");
    for (revealed, alert) in [(true, revealing("", "c.moreau<i>")), (false, alert(""))] {
        let alert = Alert { id: named("").id, ..alert };
        sink.send(&alert).await.unwrap();
        let mails = mails(&alert.id);
        let mail = MessageParser::default().parse(&mails[0]).unwrap();
        let (text, markup) = (mail.body_text(0).unwrap(), mail.body_html(0).unwrap());
        assert_eq!(text.contains("Markers: username c.moreau<i> (0123456789abcdef)"), revealed, "{text}");
        assert_eq!(markup.contains("username c.moreau&lt;i&gt; (0123456789abcdef)"), revealed, "{markup}");
        assert!(!mail.subject().unwrap().contains("c.moreau"));
    }
}

#[tokio::test]
async fn a_test_is_marked_and_a_probe_sends_nothing() {
    let sink = email("STARTTLS", "to = 'soc@example.org'\nstarttls = true");
    sink.probe().await.unwrap();
    let alert = Alert { id: named("").id, ..test_alert() };
    sink.send(&alert).await.unwrap();
    let mails = mails(&alert.id);
    assert!(
        MessageParser::default().parse(&mails[0]).unwrap().subject().unwrap().starts_with("[Telltale] [TEST] INFO")
    );
}

#[tokio::test]
async fn refusals_for_good_and_for_now_are_told_apart() {
    let outcome = async |to: &str| email("PLAIN", &format!("to = {to}")).send(&named("")).await;
    let refused = outcome("'refused@example.org'").await.unwrap_err();
    assert!(matches!(refused, SinkError::GiveUp { status: Some(550), .. }), "{refused:?}");
    assert!(!refused.to_string().contains("refused@example.org"), "{refused}");
    let busy = outcome("'busy@example.org'").await.unwrap_err();
    assert!(matches!(busy, SinkError::Retry { status: Some(451), .. }), "{busy:?}");
    let receipt = outcome("['refused@example.org', 'soc@example.org']").await.unwrap();
    assert!(receipt.response.contains("1 of 2 recipients refused"), "{receipt:?}");
    let later = outcome("['refused@example.org', 'busy@example.org', 'soc@example.org']").await.unwrap_err();
    assert!(matches!(later, SinkError::Retry { .. }), "{later:?}");
}

#[tokio::test]
async fn a_password_waits_for_encryption_and_a_certificate_for_trust() {
    let login = "to = 'soc@example.org'\nuser = 'telltale'\npassword = \"a test's word\"";
    let error = email("PLAIN", login).send(&named("")).await.unwrap_err();
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    let wrong = email("TLS", "to = 'soc@example.org'\nuser = 'telltale'\npassword = 'wrong word'");
    let error = wrong.send(&named("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { status: Some(535), .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("wrong word"));
    let url = peer("TELLTALE_TEST_SMTP_TLS");
    let text = format!("smtp = '{url}'\nfrom = 'a@b.fr'\nto = 'c@d.fr'\nallow_private = ['127.0.0.0/8']");
    let error = build("email", &text).unwrap().send(&named("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_down_or_rude_is_tried_again() {
    let rude = Receiver::start(Manner::Resets).await;
    for address in ["127.0.0.1:9", &rude.address] {
        let text =
            format!("smtp = 'smtp://{address}'\nfrom = 'a@b.fr'\nto = 'c@d.fr'\nallow_private = ['127.0.0.0/8']");
        let error = build("email", &text).unwrap().send(&named("")).await.unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
    }
}
