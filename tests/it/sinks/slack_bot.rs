//! A Slack bot's messages: each passes Slack's own models; an incident is one message with a thread, found again after a restart, and
//! nothing is told twice. No Slack can be installed here: what it answers is played.

use super::{
    alerts::{alert, build, judge, many, test_alert},
    receiver::{Manner, Receiver, Request, answer, whole},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use telltale::{
    domain::{
        alert::{Alert, AlertType},
        incident::Severity,
    },
    sinks::sink::{Sink, SinkError},
};

fn bot(receiver: &Receiver) -> Box<dyn Sink> {
    let text = format!(
        "token = 'xoxb-wordword'\nchannel = 'C0123456789'\nurl = 'http://{}/api/'\nallow_private = ['127.0.0.0/8']",
        receiver.address
    );
    build("slack_bot", &text).unwrap()
}

/// A channel that keeps its messages, two on a page, and loses its answer to the message of this number.
#[derive(Default)]
struct Played {
    messages: Vec<Value>,
    /// What it says to these methods instead: the method, and the error.
    refuses: Vec<(&'static str, &'static str)>,
    loses: Option<usize>,
    /// Messages that were ever sent there.
    sent: usize,
}

impl Played {
    fn answers(&mut self, request: &Request) -> String {
        assert_eq!(request.headers["authorization"], "Bearer xoxb-wordword");
        let ok = |body: Value| whole("200 OK", "", &body.to_string());
        let target = request.head.split(' ').nth(1).unwrap();
        let url = url::Url::parse(&format!("http://slack.invalid{target}")).unwrap();
        let asked = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let mut sent: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let method = url.path().trim_start_matches("/api/");
        // An answer in a thread may be refused where a message is not.
        let method = if method == "chat.postMessage" && !sent["thread_ts"].is_null() { "answer" } else { method };
        if let Some((_, error)) = self.refuses.iter().find(|(refused, _)| *refused == method) {
            return ok(json!({"ok": false, "error": error}));
        }
        if sent.is_object() {
            sent["bot_id"] = json!("B042");
        }
        match url.path() {
            "/api/auth.test" => ok(json!({"ok": true, "user_id": "U041", "bot_id": "B042"})),
            "/api/chat.postMessage" => {
                let ts = format!("{}.000100", 1_800_000_000 + self.sent);
                sent["ts"] = json!(ts);
                self.sent += 1;
                self.messages.push(sent);
                if self.loses == Some(self.sent) { String::new() } else { ok(json!({"ok": true, "ts": ts})) }
            }
            "/api/chat.update" => match self.messages.iter_mut().find(|message| message["ts"] == sent["ts"]) {
                Some(message) => {
                    *message = sent.clone();
                    ok(json!({"ok": true, "ts": sent["ts"]}))
                }
                None => ok(json!({"ok": false, "error": "message_not_found"})),
            },
            method => {
                assert_eq!(asked("include_all_metadata").as_deref(), Some("true"), "else Slack leaves it out");
                assert_eq!(asked("channel").as_deref(), Some("C0123456789"));
                let thread = (method == "/api/conversations.replies").then(|| asked("ts").unwrap());
                let in_it = |message: &&Value| match &thread {
                    Some(ts) => message["thread_ts"] == **ts || message["ts"] == **ts,
                    None => message["thread_ts"].is_null(),
                };
                let listed: Vec<&Value> = self.messages.iter().filter(in_it).rev().collect();
                let from: usize = asked("cursor").map_or(0, |cursor| cursor.parse().unwrap());
                let next = if from + 2 < listed.len() { (from + 2).to_string() } else { String::new() };
                let page: Vec<&&Value> = listed.iter().skip(from).take(2).collect();
                ok(json!({"ok": true, "messages": page, "response_metadata": {"next_cursor": next}}))
            }
        }
    }
}

async fn played(loses: Option<usize>) -> (Arc<Mutex<Played>>, Receiver) {
    let played = Arc::new(Mutex::new(Played { loses, ..Played::default() }));
    let part = played.clone();
    let manner = Manner::Plays(Arc::new(move |request| part.lock().unwrap().answers(request)));
    (played, Receiver::start(manner).await)
}

/// The alerts of one incident: opened, graver, closed.
fn life() -> [Alert; 3] {
    let later = |seconds: i64| alert("").at.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    let mut opened = alert("");
    opened.incident.as_mut().unwrap().severity = Severity::Medium;
    let updated = Alert { id: "a-43".to_owned(), alert_type: AlertType::IncidentUpdated, at: later(60), ..alert("") };
    let closed = Alert { id: "a-44".to_owned(), alert_type: AlertType::IncidentClosed, at: later(90), ..alert("") };
    [opened, updated, closed]
}

#[tokio::test]
async fn every_message_passes_slack_s_own_models() {
    let (played, receiver) = played(None).await;
    let sink = bot(&receiver);
    for alert in many() {
        // Each an incident of its own: no thread grows to five hundred.
        let mut alert = alert;
        if let Some(incident) = &mut alert.incident {
            incident.id = format!("i-{}", alert.id);
        }
        sink.send(&alert).await.unwrap();
        played.lock().unwrap().messages.clear();
    }
    let sent = receiver.requests().into_iter().filter(|request| request.head.contains("chat.postMessage"));
    let lines: Vec<String> = sent.map(|request| request.body).collect();
    assert_eq!(lines.len(), 500);
    assert_eq!(judge("check_slack.py", &lines.join("\n")).trim(), "valid");
}

#[tokio::test]
async fn an_incident_is_one_message_that_shows_how_it_stands_and_a_thread_that_tells_how_it_went() {
    let (played, receiver) = played(None).await;
    let [opened, updated, closed] = life();
    let (sink, other) = (bot(&receiver), Alert { id: "a-50".to_owned(), ..test_alert() });
    for alert in [&opened, &other, &updated] {
        sink.send(alert).await.unwrap();
    }
    // A restart knows no message, and finds it.
    let sink = bot(&receiver);
    sink.send(&closed).await.unwrap();
    let messages = played.lock().unwrap().messages.clone();
    assert_eq!(messages.len(), 4, "{messages:?}");
    let (root, threads): (&Value, Vec<&Value>) =
        (&messages[0], messages.iter().map(|message| &message["thread_ts"]).collect());
    assert_eq!(threads, [&Value::Null, &Value::Null, &root["ts"], &root["ts"]]);
    assert!(root["text"].as_str().unwrap().contains("closed: "), "brought up to date: {root}");
    assert!(root["text"].as_str().unwrap().starts_with("[CRITICAL]"), "{root}");
    assert!(messages[1]["text"].as_str().unwrap().contains("[TEST]"));
    // What comes late tells nothing older than what is shown.
    sink.send(&Alert { id: "a-45".to_owned(), ..updated }).await.unwrap();
    let messages = played.lock().unwrap().messages.clone();
    assert!(messages.len() == 5 && messages[0]["text"].as_str().unwrap().contains("closed: "), "{messages:?}");
}

#[tokio::test]
async fn nothing_is_told_twice_after_a_crash() {
    let [opened, updated, _] = life();
    for lost in [1, 2] {
        let (played, receiver) = played(Some(lost)).await;
        for (number, alert) in [&opened, &updated].into_iter().enumerate() {
            let first = bot(&receiver).send(alert).await;
            assert_eq!(first.is_err(), number + 1 == lost, "it has it, and we never heard of that");
            bot(&receiver).send(alert).await.unwrap();
        }
        let messages = played.lock().unwrap().messages.clone();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0]["text"].as_str().unwrap().contains("update: "), "{messages:?}");
    }
}

#[tokio::test]
async fn slack_s_answers_are_understood_and_the_token_is_never_told() {
    for (body, part, retried) in [
        ("{\"ok\":false,\"error\":\"invalid_auth\"}", "invalid_auth", false),
        ("{\"ok\":false,\"error\":\"missing_scope\"}", "channels:history", false),
        ("{\"ok\":false,\"error\":\"not_in_channel\"}", "invite the bot", false),
        ("{\"ok\":false,\"error\":\"ratelimited\"}", "ratelimited", true),
        ("<html>xoxb-wordword</html>", "Slack", true),
    ] {
        let receiver = Receiver::start(answer("200 OK", "", body)).await;
        let error = bot(&receiver).send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::Retry { .. }), retried, "{error}");
        assert!(error.to_string().contains(part) && !error.to_string().contains("wordword"), "{error}");
    }
    let receiver = Receiver::start(answer("429 Slow", "retry-after: 30\r\n", "")).await;
    let error = bot(&receiver).send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { after: Some(after), .. } if after.as_secs() == 30));
    let error = build("slack_bot", "token = 'x'\nchannel = '#soc'").err().unwrap();
    assert!(error.key == "channel" && error.message.contains("C0123456789"), "{error}");
}

#[tokio::test]
async fn a_message_that_somebody_removed_is_sent_anew() {
    let (played, receiver) = played(None).await;
    let [opened, updated, _] = life();
    let sink = bot(&receiver);
    sink.send(&opened).await.unwrap();
    played.lock().unwrap().messages.clear();
    assert!(matches!(sink.send(&updated).await.unwrap_err(), SinkError::Retry { .. }));
    played.lock().unwrap().messages.clear();
    sink.send(&updated).await.unwrap();
    let messages = played.lock().unwrap().messages.clone();
    assert!(messages.len() == 1 && messages[0]["thread_ts"].is_null(), "{messages:?}");
}

#[tokio::test]
async fn who_locks_a_thread_or_forbids_edits_silences_nothing() {
    let [opened, updated, closed] = life();
    for (refused, count, answers) in [
        (("chat.update", "edit_window_closed"), 3, 2),
        (("chat.update", "cant_update_message"), 3, 2),
        (("answer", "restricted_action_thread_locked"), 3, 0),
        (("answer", "cannot_reply_to_message"), 3, 0),
    ] {
        let (played, receiver) = played(None).await;
        let sink = bot(&receiver);
        sink.send(&opened).await.unwrap();
        played.lock().unwrap().refuses.push(refused);
        for alert in [&updated, &closed] {
            sink.send(alert).await.unwrap();
        }
        let messages = played.lock().unwrap().messages.clone();
        let threaded = messages.iter().filter(|message| !message["thread_ts"].is_null()).count();
        assert_eq!((messages.len(), threaded), (count, answers), "{refused:?}: {messages:?}");
    }
}

#[tokio::test]
async fn alerts_of_one_incident_that_come_at_once_are_one_message_with_a_thread() {
    let (played, receiver) = played(None).await;
    let sink = bot(&receiver);
    let [opened, updated, closed] = life();
    let sent = futures_util::future::join_all([&opened, &updated, &closed].map(|alert| sink.send(alert))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    let messages = played.lock().unwrap().messages.clone();
    assert_eq!(messages.iter().filter(|message| message["thread_ts"].is_null()).count(), 1, "{messages:?}");
}

#[tokio::test]
async fn what_another_writes_as_we_do_is_not_ours() {
    let (played, receiver) = played(None).await;
    let [opened, updated, _] = life();
    bot(&receiver).send(&opened).await.unwrap();
    {
        let mut played = played.lock().unwrap();
        let mut forged = played.messages[0].clone();
        forged["bot_id"] = json!("B666");
        forged["ts"] = json!("1900000000.000100");
        forged["metadata"]["event_payload"]["shows"] = json!(i64::MAX);
        played.messages.push(forged);
    }
    bot(&receiver).send(&updated).await.unwrap();
    let messages = played.lock().unwrap().messages.clone();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[2]["thread_ts"], messages[0]["ts"], "{messages:?}");
    assert!(messages[0]["text"].as_str().unwrap().contains("update: "), "{messages:?}");
}
