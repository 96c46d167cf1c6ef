//! A sink that gathers: what is below a severity comes as one alert in its time, what is above it at once whatever becomes of
//! the digest, and a digest that fails is sent again as it was.

use super::{
    alerts::alert,
    house::{House, built, webhook},
    receiver::{Manner, Receiver, answer},
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use telltale::{
    domain::{
        alert::{Alert, AlertType, Gathered},
        incident::{Incident, Severity, State},
        record::Record,
        verdict::Outcome,
    },
    flow::notify,
    sinks::shape::wording::{Wording, lines},
};
use tokio_util::sync::CancellationToken;

fn fine() -> Manner {
    answer("200 OK", "", "ok")
}

async fn opens(house: &House, number: u32, severity: Severity) -> String {
    let incident = Incident { id: format!("i-{number}"), severity, state: State::Open, ..alert("").incident.unwrap() };
    house.moves(&incident, AlertType::IncidentOpened).await
}

/// What came: its type, the alerts in it, and the id that it came under.
fn came(receiver: &Receiver) -> Vec<(String, Vec<String>, String)> {
    let told = |request: super::receiver::Request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let gathered = body["data"]["gathered"].as_array().cloned().unwrap_or_default();
        let alerts = gathered.iter().map(|one| one["alert"].as_str().unwrap().to_owned()).collect();
        (body["type"].as_str().unwrap().to_owned(), alerts, request.headers["webhook-id"].clone())
    };
    receiver.requests().into_iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_below_is_gathered_and_what_is_above_leaves_at_once() {
    let (desk, pager) = (Receiver::start(fine()).await, Receiver::start(fine()).await);
    let sinks = [webhook("desk", &desk.address, "digest = '1h'"), webhook("pager", &pager.address, "")].concat();
    let house = House::found(&sinks);
    let mut gathered = vec![opens(&house, 1, Severity::Medium).await];
    house.pass(600).await;
    gathered.push(opens(&house, 2, Severity::Info).await);
    house.pass(0).await;
    assert_eq!((came(&desk).len(), came(&pager).len()), (0, 2), "the other sink gathers nothing");
    let high = opens(&house, 3, Severity::High).await;
    house.pass(0).await;
    assert_eq!(came(&desk), [("incident.opened".to_owned(), vec![], high)], "what weighs more waits for nothing");
    let house = house.reopened(&sinks).await;
    house.pass(2999).await;
    gathered.push(opens(&house, 4, Severity::Medium).await);
    house.pass(0).await;
    assert_eq!(came(&desk).len(), 1, "an hour is not over");
    house.pass(1).await;
    let all = came(&desk);
    assert_eq!((all.len(), &all[1].0, &all[1].1), (2, &"incident.digest".to_owned(), &gathered));
    let body: Value = serde_json::from_str(&desk.requests()[1].body).unwrap();
    assert_eq!(body["data"]["summary"], "3 alerts about 3 incidents");
    assert_eq!(body["data"]["gathered"][0]["severity"], json!("medium"));
    assert_eq!(body["data"]["drill"], false);
    house.pass(7200).await;
    assert_eq!(came(&desk).len(), 2, "each is told once");
    opens(&house, 5, Severity::Info).await;
    house.pass(3599).await;
    assert_eq!(came(&desk).len(), 2, "the next hour begins with the next alert");
    house.pass(1).await;
    assert_eq!(came(&desk).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_fails_is_sent_again_as_it_was_and_one_that_is_refused_is_handed_over() {
    let (desk, mail) = (Receiver::start(Manner::Resets).await, Receiver::start(fine()).await);
    let keys = "digest = '10m'\nimmediate = 'critical'\nthen = 'mail'";
    let sinks = [webhook("desk", &desk.address, keys), webhook("mail", &mail.address, "")].concat();
    let house = House::found(&sinks);
    let first = vec![opens(&house, 1, Severity::High).await, opens(&house, 2, Severity::Medium).await];
    house.pass(600).await;
    let later = opens(&house, 3, Severity::High).await;
    let house = house.reopened(&sinks).await;
    desk.becomes(fine());
    house.pass(10).await;
    let all = came(&desk);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((&all[0], &all[1].1), (&all[1], &first), "the same, under the same id");
    house.pass(600).await;
    assert_eq!(came(&desk)[2].1, [later]);
    assert!(came(&mail).is_empty());

    desk.becomes(answer("410 Gone", "", ""));
    let refused = opens(&house, 4, Severity::Info).await;
    house.pass(600).await;
    house.pass(1).await;
    let told: Vec<String> =
        came(&mail).into_iter().filter(|(kind, ..)| kind != "system.blind").map(|(_, _, id)| id).collect();
    assert_eq!(told, std::slice::from_ref(&refused), "whoever takes over gets it by itself");
    assert_eq!(house.context.ledger.dead_letters().unwrap()[0].alert, refused);
}

#[tokio::test]
async fn a_digest_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (keys, key, part) in [("immediate = 'high'", "immediate", "digest"), ("digest = 'daily'", "digest", "10m")] {
        let sinks = webhook("a", "127.0.0.1:9", keys);
        let error = built(folder.path(), &sinks, &Arc::default()).err().expect("refused").to_string();
        assert!(error.contains(key) && error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_sink_whose_message_shows_none_of_it_may_not_gather() {
    let folder = tempfile::tempdir().unwrap();
    for own in [
        "kind = 'syslog'\naddress = '127.0.0.1:9'\ntransport = 'tcp'\nformat = 'cef'",
        "kind = 'ocsf_file'\npath = 'findings.json'",
        "kind = 'pagerduty'\nrouting_key = '0123456789abcdef0123456789abcdef'",
    ] {
        let section = format!("[[sinks]]\nname = 'siem'\n{own}\n");
        let refusal = |sinks: &str| built(folder.path(), sinks, &Arc::default()).err().expect("refused").to_string();
        // Nobody founded a house here, which is the next that is told.
        assert!(refusal(&section).contains("telltale init"), "{own}");
        let error = refusal(&format!("{section}digest = '1h'\n"));
        for part in ["siem", "digest", "leave", "email"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_news_that_a_store_leaked_and_a_rehearsal_wait_for_no_digest() {
    let desk = Receiver::start(fine()).await;
    let house = House::found(&webhook("desk", &desk.address, "digest = '1h'\nimmediate = 'critical'"));
    opens(&house, 1, Severity::High).await;
    let suspected = alert("").incident.unwrap();
    let mut leaked = Incident { id: "i-1".to_owned(), severity: Severity::Medium, ..suspected.clone() };
    leaked.attribution.verdict = Outcome::Attributed;
    let news = house.moves(&leaked, AlertType::IncidentUpdated).await;
    let rehearsed = Incident { id: "i-2".to_owned(), severity: Severity::Info, drill: true, ..suspected };
    let drill = house.moves(&rehearsed, AlertType::IncidentOpened).await;
    house.pass(0).await;
    let mut ids: Vec<String> = came(&desk).into_iter().map(|(.., id)| id).collect();
    ids.sort();
    assert_eq!(ids, [news, drill], "and not what is only suspected");
}

/// Waits for the receiver to have been sent so many.
async fn arrived(receiver: &Receiver, count: usize) {
    let began = Instant::now();
    while receiver.requests().len() < count {
        assert!(began.elapsed() < Duration::from_secs(10), "{:?} of {count} came", came(receiver));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_hangs_delays_nothing_urgent() {
    // Hanging when both are due at once, and when the digest is under way already.
    for both in [true, false] {
        let desk = Receiver::start(Manner::Hangs).await;
        let house = House::found(&webhook("desk", &desk.address, "digest = '10m'"));
        let gathered = opens(&house, 1, Severity::Medium).await;
        house.wait(600);
        if both {
            opens(&house, 2, Severity::High).await;
        }
        let delivering = tokio::spawn(notify::deliver(house.context.clone(), 0, CancellationToken::new()));
        if !both {
            arrived(&desk, 1).await;
            assert_eq!(came(&desk)[0].1, [gathered]);
            desk.becomes(fine());
            opens(&house, 2, Severity::High).await;
        }
        arrived(&desk, 2).await;
        let mut kinds: Vec<String> = came(&desk).into_iter().map(|(kind, ..)| kind).collect();
        kinds.sort();
        assert_eq!(kinds, ["incident.digest", "incident.opened"], "while no digest was answered");
        delivering.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_hides_nothing_urgent_and_is_sent_whole() {
    const MANY: usize = 2_100;
    let desk = Receiver::start(fine()).await;
    let house = House::found(&webhook("desk", &desk.address, "digest = '1m'"));
    let sample = alert("");
    let old: Vec<Record> = (0..MANY)
        .map(|number| {
            let incident =
                Incident { id: format!("i-{number}"), severity: Severity::Info, ..sample.incident.clone().unwrap() };
            let at = house.context.now() - Duration::from_secs(60 * (MANY - number) as u64);
            let alert = Alert { at, incident: Some(incident), ..sample.clone() };
            Record::AlertRaised { alert, sinks: vec!["desk".to_owned()], by: "telltale".to_owned() }
        })
        .collect();
    house.context.append(&old).await.unwrap();
    house.wait(1);
    let urgent = opens(&house, 9_999, Severity::Critical).await;
    notify::deliver_due(&house.context, &house.context.sinks[0]).await.unwrap();
    let first = came(&desk);
    assert!(first.iter().any(|(_, _, id)| *id == urgent), "it stands behind {MANY} that wait");
    assert_eq!(first.iter().map(|(_, gathered, _)| gathered.len()).sum::<usize>(), 1_000);
    house.pass(0).await;
    let told: Vec<String> = came(&desk).into_iter().flat_map(|(_, gathered, _)| gathered).collect();
    let each: std::collections::BTreeSet<&String> = told.iter().collect();
    assert_eq!((told.len(), each.len()), (MANY, MANY), "each once");
}

/// A digest of twelve incidents, of which the one that waited longest became critical.
pub fn of_twelve() -> Alert {
    let sample = alert("");
    let one = |number: u64, severity: Severity| Gathered {
        alert: format!("a-{number}"),
        alert_type: AlertType::IncidentUpdated,
        at: sample.at + Duration::from_secs(60 * number),
        incident: format!("i-{}", number % 12),
        severity,
        summary: format!("news {number}"),
    };
    let mut gathered: Vec<Gathered> = (0..12).map(|number| one(number, Severity::Info)).collect();
    gathered[11].severity = Severity::Medium;
    gathered.push(one(12, Severity::Critical));
    Alert { alert_type: AlertType::IncidentDigest, incident: None, sightings: Vec::new(), gathered, ..sample }
}

#[test]
fn people_read_the_gravest_first_and_each_incident_once() {
    let digest = of_twelve();
    let lines = lines(&digest);
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[0], "CRITICAL i-0, 2026-11-23 20:12 UTC, the last of 2 alerts: news 12");
    assert_eq!(lines[1], "MEDIUM i-11, 2026-11-23 20:11 UTC: news 11");
    assert_eq!(lines[2], "INFO i-1, 2026-11-23 20:01 UTC: news 1");
    let facts = Wording::of(&digest).facts;
    assert_eq!(facts.len(), 10);
    assert_eq!(facts[0], ("1", lines[0].clone()));
    assert_eq!(facts[9], ("Besides", "3 more, none of them graver".to_owned()));
}
