//! Syslog, as a real rsyslog receives it, and CEF as a CEF library reads it.

use super::{
    alerts::{alert, build, hostile, judge, peer, revealing, test_alert},
    receiver::{Manner, Receiver},
};
use serde_json::Value;
use std::time::{Duration, Instant};
use telltale::{
    domain::alert::Alert,
    sinks::sink::{Sink, SinkError},
};

fn syslog(transport: &str, format: &str) -> Box<dyn Sink> {
    let address = peer(&format!("TELLTALE_TEST_RSYSLOG_{}", transport.to_uppercase()));
    let ca = if transport == "tls" { format!("ca = '{}'", peer("TELLTALE_TEST_RSYSLOG_CA")) } else { String::new() };
    let text = format!(
        "address = '{address}'\ntransport = '{transport}'\nformat = '{format}'\nallow_private = ['127.0.0.0/8']\n{ca}"
    );
    build("syslog", &text).unwrap()
}

/// Every record that rsyslog got with this word in it, once there are so many.
pub async fn received(word: &str, count: usize) -> Vec<Value> {
    let file = peer("TELLTALE_TEST_RSYSLOG_RECEIVED");
    let start = Instant::now();
    loop {
        // What fails a handshake shows up there as bytes that are no text, and CEF comes without structured data.
        let text =
            String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).replace("\"sd\":}", "\"sd\":null}");
        let records: Vec<Value> = text
            .lines()
            .filter(|line| line.contains(word))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if records.len() >= count || start.elapsed() > Duration::from_secs(15) {
            assert_eq!(records.len(), count, "records with {word}");
            return records;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn named(text: &str, word: &str) -> Alert {
    let mut alert = alert(text);
    alert.id = word.to_owned();
    alert
}

fn word(what: &str) -> String {
    format!("a-{what}-{}", uuid::Uuid::now_v7().simple())
}

#[tokio::test]
async fn rsyslog_reads_rfc_5424_over_every_transport() {
    for transport in ["udp", "tcp", "tls"] {
        let sink = syslog(transport, "rfc5424");
        let word = word(transport);
        for text in hostile() {
            sink.send(&named(&text, &word)).await.unwrap();
        }
        for record in received(&word, hostile().len()).await {
            assert_eq!(record["protocol-version"], "1", "{record}");
            assert_eq!(
                (&record["pri"], &record["app-name"], &record["inputname"]),
                (&"82".into(), &"telltale".into(), &transport.into())
            );
            assert_eq!(record["msgid"], "incident.opened");
            let data = &record["sd"]["telltale@32473"];
            assert_eq!((&data["alert"], &data["verdict"]), (&word.as_str().into(), &"inconclusive".into()), "{record}");
            assert!(data["stores"].as_str().unwrap().starts_with("payroll"), "{record}");
        }
    }
}

#[tokio::test]
async fn rsyslog_and_a_cef_library_read_cef_over_every_transport() {
    for transport in ["udp", "tcp", "tls"] {
        let sink = syslog(transport, "cef");
        let word = word(transport);
        for text in hostile() {
            sink.send(&named(&text, &word)).await.unwrap();
        }
        for record in received(&word, hostile().len()).await {
            assert_eq!(record["protocol-version"], "1", "{record}");
            let message = record["msg"].as_str().unwrap().trim_start();
            let read: Value = serde_json::from_str(&judge("check_cef.py", message)).unwrap();
            assert_eq!(read["severity"], 10);
            assert_eq!(read["extension"]["cn1"], "41", "{read}");
            assert_eq!(read["extension"]["src"], "203.0.113.9", "{read}");
            assert_eq!(read["extension"]["rt"], "1795464000000", "{read}");
            assert_eq!(read["refused"], serde_json::json!([]), "{message}");
        }
    }
}

#[tokio::test]
async fn a_revealed_value_has_a_field_of_its_own() {
    let word = word("told");
    for text in hostile() {
        let alert = Alert { id: word.clone(), ..revealing(&text, "c.moreau") };
        syslog("tcp", "rfc5424").send(&alert).await.unwrap();
        syslog("tcp", "cef").send(&alert).await.unwrap();
    }
    for record in received(&word, 2 * hostile().len()).await {
        let told = match record["sd"]["telltale@32473"]["markers"].as_str() {
            Some(told) => told.to_owned(),
            None => {
                let message = record["msg"].as_str().unwrap().trim_start();
                let read: Value = serde_json::from_str(&judge("check_cef.py", message)).unwrap();
                assert_eq!(read["extension"]["flexString1Label"], "markers", "{read}");
                assert_eq!(read["refused"], serde_json::json!([]), "{message}");
                read["extension"]["flexString1"].as_str().unwrap().to_owned()
            }
        };
        assert!(told.starts_with("username c.moreau"), "{record}");
    }
}

#[tokio::test]
async fn a_test_is_marked_and_a_probe_is_answered() {
    let word = word("probe");
    for transport in ["tcp", "tls", "udp"] {
        syslog(transport, "cef").probe().await.unwrap();
    }
    let sink = syslog("tcp", "cef");
    sink.send(&Alert { id: word.clone(), ..test_alert() }).await.unwrap();
    let records = received(&word, 1).await;
    assert!(records[0]["msg"].as_str().unwrap().contains("|[TEST] test alert|1|"), "{}", records[0]);
}

#[tokio::test]
async fn a_collector_that_is_down_untrusted_or_hangs_is_tried_again() {
    let text = |address: &str, transport: &str| {
        format!("address = '{address}'\ntransport = '{transport}'\nformat = 'cef'\nallow_private = ['127.0.0.0/8']")
    };
    let hanging = Receiver::start(Manner::Hangs).await;
    for (address, transport) in [
        ("127.0.0.1:9".to_owned(), "tcp"),
        (peer("TELLTALE_TEST_RSYSLOG_TLS"), "tls"),
        (peer("TELLTALE_TEST_RSYSLOG_TCP"), "tls"),
        (hanging.address.clone(), "tls"),
    ] {
        let start = Instant::now();
        let error = build("syslog", &text(&address, transport)).unwrap().send(&alert("")).await.unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}

#[tokio::test]
async fn a_collector_that_never_closes_does_not_count_as_having_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let stream = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(stream);
    });
    let text = format!("address = '{address}'\ntransport = 'tcp'\nformat = 'rfc5424'\nallow_private = ['127.0.0.0/8']");
    let error = build("syslog", &text).unwrap().send(&alert("")).await.unwrap_err();
    held.abort();
    assert!(error.to_string().contains("did not close"), "{error}");
}
