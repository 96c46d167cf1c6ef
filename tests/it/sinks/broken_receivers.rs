//! Receivers that are down, slow, rude or somewhere they should not be: each attempt ends in time, says what is
//! wrong, and reaches nothing that the operator did not list.

use super::{
    alerts::{alert, build, peer},
    receiver::{Manner, Receiver, answer},
};
use std::time::{Duration, Instant};
use telltale::sinks::sink::{Sink, SinkError};

const SECRET: &str = "secret = 'whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'\nallow_private = ['127.0.0.0/8']";

fn webhook(url: &str) -> Box<dyn Sink> {
    build("webhook", &format!("url = '{url}'\n{SECRET}")).unwrap()
}

async fn outcome(manner: Manner) -> (SinkError, Duration) {
    let receiver = Receiver::start(manner).await;
    let start = Instant::now();
    let error = webhook(&format!("http://{}/", receiver.address)).send(&alert("")).await.unwrap_err();
    assert_eq!(receiver.connections(), 1);
    (error, start.elapsed())
}

fn is_retry(error: &SinkError) -> bool {
    matches!(error, SinkError::Retry { .. })
}

/// Reliability test T13.
#[tokio::test]
async fn what_fails_is_tried_again() {
    for manner in
        [answer("500 Oops", "", "no"), answer("404 Not Found", "", ""), Manner::Resets, Manner::Says("junk".into())]
    {
        let (error, took) = outcome(manner).await;
        assert!(is_retry(&error) && took < Duration::from_secs(5), "{error:?}");
    }
    let refused = webhook("http://127.0.0.1:9/").send(&alert("")).await.unwrap_err();
    assert!(is_retry(&refused) && refused.to_string().contains("127.0.0.1"), "{refused:?}");
    let unknown = webhook("http://no-such-name.invalid/").send(&alert("")).await.unwrap_err();
    assert!(is_retry(&unknown) && unknown.to_string().contains("no-such-name.invalid"), "{unknown:?}");
    let (gone, _) = outcome(answer("410 Gone", "", "")).await;
    assert!(matches!(gone, SinkError::GiveUp { status: Some(410), .. }), "{gone:?}");
}

#[tokio::test]
async fn a_receiver_that_hangs_or_drips_is_left_in_time() {
    let (hung, dripped) = tokio::join!(outcome(Manner::Hangs), outcome(Manner::Drips));
    for (error, took) in [hung, dripped] {
        assert!(is_retry(&error), "{error:?}");
        assert!((Duration::from_secs(14)..Duration::from_secs(17)).contains(&took), "{took:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let receiver = Receiver::start(Manner::Floods).await;
    let start = Instant::now();
    let receipt = webhook(&format!("http://{}/", receiver.address)).send(&alert("")).await.unwrap();
    assert!(receipt.response.len() <= 16 * 1024 && receipt.status == Some(200));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let target = Receiver::start(answer("200 OK", "", "")).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let (error, _) = outcome(answer(status, &format!("location: http://{}/\r\n", target.address), "")).await;
        assert!(is_retry(&error) && error.to_string().contains("redirect"), "{error:?}");
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let url = peer("TELLTALE_TEST_SMTP_TLS").replace("smtps://", "https://");
    let error = webhook(&url).send(&alert("")).await.unwrap_err();
    assert!(is_retry(&error) && error.to_string().contains("certificate"), "{error:?}");
    assert!(webhook(&url).probe().await.is_err());
    let ca = peer("TELLTALE_TEST_SMTP_CA");
    build("webhook", &format!("url = '{url}'\nca = '{ca}'\n{SECRET}")).unwrap().probe().await.unwrap();
}

/// Reliability test T21.
#[tokio::test]
async fn no_private_receiver_is_reached_unless_it_is_listed() {
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let port = receiver.address.rsplit(':').next().unwrap();
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "1.1.1.1@127.0.0.1",
        "0.0.0.0",
        "localhost",
    ];
    let secret = SECRET.lines().next().unwrap();
    for host in hosts {
        let plain_host = host.rsplit('@').next().unwrap();
        let sinks = [
            build("webhook", &format!("url = 'http://{host}:{port}/'\n{secret}")).unwrap(),
            build("slack", &format!("url = 'http://{host}:{port}/'")).unwrap(),
            build("syslog", &format!("address = '{plain_host}:{port}'\ntransport = 'tcp'\nformat = 'cef'")).unwrap(),
            build("syslog", &format!("address = '{plain_host}:{port}'\ntransport = 'udp'\nformat = 'cef'")).unwrap(),
            build("email", &format!("smtp = 'smtp://{plain_host}:{port}'\nfrom = 'a@b.fr'\nto = 'c@d.fr'")).unwrap(),
        ];
        for sink in sinks {
            let error = sink.send(&alert("")).await.unwrap_err();
            assert!(error.to_string().contains("allow_private"), "{host}: {error}");
            assert_eq!(matches!(error, SinkError::GiveUp { .. }), host != "localhost", "{host}: {error:?}");
            assert!(sink.probe().await.unwrap_err().to_string().contains("allow_private"));
        }
    }
    assert_eq!(receiver.connections(), 0);
    webhook(&format!("http://127.0.0.1:{port}/")).send(&alert("")).await.unwrap();
    assert_eq!(receiver.connections(), 1);
}
