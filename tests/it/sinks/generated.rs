//! Five hundred generated alerts over the destinations whose own files send fewer, each judged by whatever judges it there; and that
//! no destination is left out.

use super::{
    alerts::{build, judge, judge_lines, many, peer},
    receiver::{Receiver, answer},
};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};
use telltale::{
    domain::alert::{Alert, AlertType},
    sinks::{ALL, sink::Sink},
};

const SECRET: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

/// Sends all of them, eight at a time, as delivery does.
async fn send_all(sink: &dyn Sink, alerts: &[Alert]) {
    for several in alerts.chunks(8) {
        for outcome in futures_util::future::join_all(several.iter().map(|alert| sink.send(alert))).await {
            outcome.unwrap();
        }
    }
}

/// The alerts under ids that nothing else in the receiver bears, and what these begin with.
fn own() -> (String, Vec<Alert>) {
    let word = format!("a-{}", uuid::Uuid::now_v7().simple());
    let named = |(number, alert)| Alert { id: format!("{word}-{number}"), ..alert };
    (word.clone(), many().into_iter().enumerate().map(named).collect())
}

#[test]
fn every_destination_is_sent_five_hundred() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sinks");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let here = read("generated.rs");
    for entry in ALL {
        // Of those whose `many` is walked with steps there is a whole walk here.
        let own = read(&format!("{}.rs", entry.kind));
        let whole = own.lines().any(|line| line.contains("many()") && !line.contains("step_by"));
        let called = [format!("build(\"{}\"", entry.kind), format!("super::{0}::{0}(", entry.kind)];
        assert!(whole || called.iter().any(|call| here.contains(call)), "{} is sent fewer", entry.kind);
    }
}

#[tokio::test]
async fn slack_s_models_take_every_message() {
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let text = format!("url = 'http://{}/services/T/B/X'\nallow_private = ['127.0.0.0/8']", receiver.address);
    send_all(&*build("slack", &text).unwrap(), &many()).await;
    let lines: Vec<String> = receiver.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(lines.len(), 500);
    assert_eq!(judge("check_slack.py", &lines.join("\n")).trim(), "valid");
}

#[tokio::test]
async fn the_webhooks_library_verifies_every_request() {
    let receiver = Receiver::start(answer("200 OK", "", "")).await;
    let private = "whsk_AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let text = format!(
        "url = 'http://{}/'\nsecret = '{SECRET}'\nsigning_key = '{private}'\nallow_private = ['127.0.0.0/8']",
        receiver.address
    );
    send_all(&*build("webhook", &text).unwrap(), &many()).await;
    let public = webhooks::SigningKey::parse(private).unwrap().public().to_string();
    let given = |request: &super::receiver::Request| {
        let (headers, body) = (&request.headers, &request.body);
        json!({"secrets": [SECRET], "public": public, "headers": headers, "body": body}).to_string()
    };
    let lines: Vec<String> = receiver.requests().iter().map(given).collect();
    assert_eq!(lines.len(), 500);
    assert_eq!(judge("check_webhook.py", &lines.join("\n")).trim(), "valid");
}

#[tokio::test]
async fn rsyslog_takes_every_record_over_tls_as_rfc_5424_and_cef_s_readers_read_it() {
    let (address, ca) = (peer("TELLTALE_TEST_RSYSLOG_TLS"), peer("TELLTALE_TEST_RSYSLOG_CA"));
    for format in ["rfc5424", "cef", "leef"] {
        let text = format!(
            "address = '{address}'\ntransport = 'tls'\nformat = '{format}'\nca = '{ca}'\nallow_private = ['127.0.0.0/8']"
        );
        let (word, alerts) = own();
        send_all(&*build("syslog", &text).unwrap(), &alerts).await;
        // CEF takes forty characters of an id.
        let word = &word[..30];
        let records = super::syslog::received(word, alerts.len()).await;
        let wrong = records.iter().find(|record| record["protocol-version"] != "1" || record["inputname"] != "tls");
        assert!(wrong.is_none(), "{format}: {wrong:?}");
        let lines: Vec<&str> = records.iter().map(|record| record["msg"].as_str().unwrap().trim_start()).collect();
        match format {
            "cef" => read_cef(&lines),
            "leef" => lines.iter().for_each(|line| read_leef(line)),
            _ => assert!(records.iter().all(|record| record["sd"]["telltale@32473"]["alert"].is_string())),
        }
    }
}

/// A CEF library and a parser of logs read the same of each.
fn read_cef(lines: &[&str]) {
    let said = judge("check_cef.py", &lines.join("\n"));
    let read: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(read.len() == lines.len() && read.iter().all(|one| one["refused"] == json!([])), "{:?}", read.first());
    let folder = tempfile::tempdir().unwrap();
    let (rules, records) = (folder.path().join("cef.rb"), folder.path().join("records"));
    std::fs::write(&rules, "version=2\nrule=:%f:cef%\n").unwrap();
    // It loses the first letter of the first key where no space stands before it.
    let spaced = |line: &&str| {
        let key = line.rfind("|rt=").expect("the first key is the time");
        format!("{}| {}\n", &line[..key], &line[key + 1..])
    };
    std::fs::write(&records, lines.iter().map(spaced).collect::<String>()).unwrap();
    let output = std::process::Command::new("lognormalizer")
        .args(["-e", "json", "-r"])
        .arg(&rules)
        .stdin(std::fs::File::open(&records).unwrap())
        .output()
        .expect("lognormalizer starts: run tests/run");
    let said = String::from_utf8(output.stdout).unwrap();
    let parsed: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed.len(), lines.len());
    for (parsed, read) in parsed.iter().zip(&read) {
        assert!(parsed["f"]["Extensions"].is_object(), "{parsed}");
        for key in ["rt", "externalId", "cat"] {
            assert_eq!(parsed["f"]["Extensions"][key], read["extension"][key], "{parsed}");
        }
    }
}

/// As its documentation describes LEEF 2.0: a header of six parts, and pairs with the delimiter that it names.
fn read_leef(line: &str) {
    let parts: Vec<&str> = line.splitn(7, '|').collect();
    assert!(parts.len() == 7 && parts[0] == "LEEF:2.0" && parts[5] == "^", "{line:.200}");
    let mut keys = BTreeSet::new();
    for pair in parts[6].split('^') {
        let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("{pair:.100} is no pair"));
        assert!(
            !value.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
            "{pair:.100}"
        );
        assert!(keys.insert(key), "{key} twice");
        assert!(!value.contains(char::is_control), "{pair:.100}");
    }
    assert!(["devTime", "cat", "sev", "msg"].iter().all(|key| keys.contains(key)), "{keys:?}");
}

#[tokio::test]
async fn a_taxii_server_says_of_every_envelope_that_it_took_what_was_sent() {
    let text = format!(
        "url = '{}'\nuser = 'telltale'\npassword = 'wordword'\nallow_private = ['127.0.0.0/8']",
        peer("TELLTALE_TEST_TAXII")
    );
    let sink = build("taxii", &text).unwrap();
    // Who we are and where somebody came from are the same objects in many envelopes: it calls what it has already a failure.
    let shared = |id: &str| ["identity--", "ipv4-addr--", "ipv6-addr--"].iter().any(|kind| id.starts_with(kind));
    let ids = |objects: &Value| -> Vec<String> {
        let ids = objects.as_array().into_iter().flatten().map(|object| object["id"].as_str().unwrap().to_owned());
        ids.collect()
    };
    for mut alert in own().1 {
        if let Some(incident) = &mut alert.incident {
            incident.id = format!("i{}", &alert.id[1..]);
        }
        let receipt = sink.send(&alert).await.unwrap();
        let status: Value = serde_json::from_str(&receipt.response).unwrap();
        let (took, failed, sent) = (ids(&status["successes"]), ids(&status["failures"]), ids(&objects(&alert).await));
        assert!(status["pending_count"] == 0 && failed.iter().all(|id| shared(id)), "{status}");
        assert_eq!(status["success_count"], took.len(), "{status}");
        assert_eq!(took.len() + failed.len(), sent.len(), "{status}");
        assert!(sent.iter().all(|id| shared(id) || took.contains(id)), "{status}");
    }
}

/// The objects that this alert makes.
async fn objects(alert: &Alert) -> Value {
    let receiver = Receiver::start(answer("202 Accepted", "", "{}")).await;
    let text = format!("url = 'http://{}/root/collections/1'\nallow_private = ['127.0.0.0/8']", receiver.address);
    let _ = build("taxii", &text).unwrap().send(alert).await;
    let sent: Value = serde_json::from_str(&receiver.requests()[0].body).unwrap();
    sent["objects"].clone()
}

#[tokio::test]
async fn every_mail_is_read_as_it_was_meant() {
    let inbox = peer("TELLTALE_TEST_SMTP_PLAIN");
    let text = format!(
        "smtp = '{inbox}'\nfrom = 'telltale@example.org'\nto = 'soc@example.org'\nallow_private = ['127.0.0.0/8']"
    );
    let (word, alerts) = own();
    send_all(&*build("email", &text).unwrap(), &alerts).await;
    let mails = super::email::mails(&word);
    assert_eq!(mails.len(), alerts.len());
    for mail in mails {
        let mail = MessageParser::default().parse(&mail).unwrap();
        let subject = mail.subject().unwrap();
        assert!(subject.starts_with("[Telltale] ") && !subject.contains(char::is_control), "{subject}");
        assert!(mail.to().unwrap().iter().count() == 1 && mail.bcc().is_none() && mail.attachment_count() == 0);
        assert!(!mail.body_html(0).unwrap().contains("<script"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reads_every_alert_as_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let text =
        format!("command = ['/bin/sh', '-c', 'exec dd of={} oflag=append conv=notrunc status=none']", out.display());
    let sink = build("command", &text).unwrap();
    let alerts = many();
    for alert in &alerts {
        sink.send(alert).await.unwrap();
    }
    let read = std::fs::read_to_string(&out).unwrap();
    let ids: Vec<Value> = read.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert!(ids.iter().zip(&alerts).all(|(id, alert)| *id == *alert.id) && ids.len() == alerts.len());
}

#[tokio::test]
async fn a_template_makes_whole_json_of_every_alert() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ticket.json.j2");
    std::fs::write(
        &path,
        r#"{"title": {{ (mark ~ title)|line(80) }}, "text": {{ summary }}, "alert": {{ alert }}, "facts": [{% for fact in facts %}{{ fact.value }}{% if not loop.last %},{% endif %}{% endfor %}]}"#,
    )
    .unwrap();
    let receiver = Receiver::start(answer("201 Created", "", "")).await;
    let text = format!(
        "url = 'http://{}/'\ntemplate = '{}'\nallow_private = ['127.0.0.0/8']",
        receiver.address,
        path.display()
    );
    send_all(&*build("template", &text).unwrap(), &many()).await;
    for request in receiver.requests() {
        let ticket: Value = serde_json::from_str(&request.body).unwrap();
        assert!(ticket.as_object().unwrap().len() == 4 && ticket["title"].as_str().unwrap().chars().count() <= 80);
    }
    // A shipped one passes its receiver's own library by this way as well.
    let receiver = Receiver::start(answer("204 No Content", "", "")).await;
    let text = format!("url = 'http://{}/'\ntemplate = 'discord'\nallow_private = ['127.0.0.0/8']", receiver.address);
    send_all(&*build("template", &text).unwrap(), &many()).await;
    let lines: Vec<String> = receiver.requests().into_iter().map(|request| request.body).collect();
    judge_lines("check_discord.mjs", &lines);
}

#[tokio::test]
async fn nats_carries_every_alert() {
    let subject = format!("alerts.{}", uuid::Uuid::now_v7().simple());
    let mut reader = super::nats::Client::new().await;
    reader.subscribe(&subject).await;
    let sink = super::nats::nats(&subject, "");
    for alert in many() {
        sink.send(&alert).await.unwrap();
        let (head, text) = reader.message().await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert!(told["type"] == alert.alert_type.as_str() && head.contains("Nats-Msg-Id: "), "{head}");
        assert_eq!(told["data"]["incident"].is_null(), alert.incident.is_none());
        assert!(alert.alert_type != AlertType::IncidentDigest || told["data"]["gathered"].is_array(), "{told}");
    }
}
