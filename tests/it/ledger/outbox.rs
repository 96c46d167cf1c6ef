//! Incidents and the outbox.

use crate::{
    journal::records::{at, new_keyring, open},
    ledger::records::{attempted, incident, moved, put},
};
use std::{collections::BTreeSet, time::Duration};
use telltale::{
    domain::{
        incident::State,
        record::{AttemptOutcome, Record},
    },
    ledger::state::Ledger,
};

fn stores(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn an_alert_is_due_until_every_sink_has_it_or_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &new_keyring(folder.path()));
    let ledger = Ledger::open(folder.path(), &journal).unwrap();
    let seq = put(&journal, 100, moved(incident(&["payroll"], 100), 0, &[], &["soc", "siem"])).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.due("soc", at(99), 9).unwrap().is_empty());
    for sink in ["siem", "soc"] {
        let due = ledger.due(sink, at(100), 9).unwrap();
        let of: Vec<_> = due.iter().map(|due| (due.alert.as_str(), due.sink.as_str(), due.attempt)).collect();
        assert_eq!(of, [("a-1", sink, 1)]);
    }
    assert!(ledger.due("so", at(100), 9).unwrap().is_empty(), "another sink's name begins alike");
    let alert = ledger.alert(&journal, "a-1").unwrap().unwrap();
    assert_eq!((alert.id.as_str(), alert.incident.unwrap().id), ("a-1", format!("i-{seq}")));

    put(&journal, 101, attempted("a-1", "siem", 1, AttemptOutcome::Delivered)).await;
    put(&journal, 101, attempted("a-1", "soc", 1, AttemptOutcome::Retry { after: Duration::from_secs(30) })).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.due("siem", at(1_000_000), 9).unwrap().is_empty());
    assert!(ledger.due("soc", at(130), 9).unwrap().is_empty());
    let due = ledger.due("soc", at(131), 9).unwrap();
    assert_eq!((due.len(), due[0].sink.as_str(), due[0].attempt, due[0].next), (1, "soc", 2, at(131)));
    put(&journal, 131, attempted("a-1", "soc", 2, AttemptOutcome::Dead)).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.waiting("soc", 9).unwrap().is_empty());
    let dead = ledger.dead_letters().unwrap();
    assert_eq!((dead.len(), dead[0].sink.as_str(), dead[0].attempt), (1, "soc", 2));
    assert_eq!(ledger.attempts("a-1").unwrap().len(), 3);
    assert!(ledger.attempts("a-10").unwrap().is_empty());
}

#[tokio::test]
async fn what_is_handed_over_is_due_at_both_and_once_at_each() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &new_keyring(folder.path()));
    let ledger = Ledger::open(folder.path(), &journal).unwrap();
    put(&journal, 100, moved(incident(&["payroll"], 100), 0, &[], &["soc", "siem"])).await;
    let retry = || AttemptOutcome::Retry { after: Duration::from_secs(30) };
    put(&journal, 101, attempted("a-1", "soc", 1, retry())).await;
    put(&journal, 102, attempted("a-1", "siem", 1, AttemptOutcome::Delivered)).await;
    ledger.catch_up(&journal).unwrap();
    let health = ledger.health("soc").unwrap();
    assert_eq!((health.failing_since, health.failure), (Some(at(101)), Some(2)));
    let ten = Duration::from_secs(10);
    assert_eq!((health.out_since(at(110), ten), health.out_since(at(111), ten)), (None, Some(at(101))));
    assert_eq!(ledger.health("siem").unwrap().out_since(at(9999), ten), None);
    assert_eq!(ledger.waiting("soc", 9).unwrap().len(), 1);

    for to in ["mail", "mail", "siem"] {
        let handed = Record::HandedOver { from: "soc".to_owned(), to: to.to_owned(), alerts: vec!["a-1".to_owned()] };
        put(&journal, 111, handed).await;
    }
    put(&journal, 131, attempted("a-1", "soc", 2, retry())).await;
    ledger.catch_up(&journal).unwrap();
    let due = |sink| ledger.due(sink, at(1000), 9).unwrap();
    assert_eq!((due("mail").len(), due("mail")[0].attempt, due("mail")[0].next), (1, 1, at(111)));
    assert!(due("siem").is_empty(), "it has the alert");
    assert_eq!((due("soc")[0].attempt, due("soc")[0].handed_to.as_deref()), (3, Some("siem")));
    assert!(ledger.waiting("soc", 9).unwrap().is_empty(), "nothing is handed over twice");

    put(&journal, 140, attempted("a-1", "mail", 1, AttemptOutcome::Dead)).await;
    put(&journal, 141, attempted("a-1", "soc", 0, AttemptOutcome::Dead)).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.health("mail").unwrap().gave_up && !ledger.health("soc").unwrap().gave_up);
    put(&journal, 142, Record::SinkFailing { sink: "soc".to_owned(), since: at(101) }).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.health("soc").unwrap().told);
    put(&journal, 143, attempted("a-1", "soc", 3, AttemptOutcome::Delivered)).await;
    ledger.catch_up(&journal).unwrap();
    let health = ledger.health("soc").unwrap();
    assert_eq!((health.delivered_at, health.failing_since, health.told), (Some(at(143)), None, false));
}

#[tokio::test]
async fn incidents_are_listed_newest_first_and_joined_by_store() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &new_keyring(folder.path()));
    let ledger = Ledger::open(folder.path(), &journal).unwrap();
    for number in 0..12 {
        let names = if number % 2 == 0 { ["payroll"] } else { ["hris"] };
        put(&journal, number, moved(incident(&names, number), 0, &[], &[])).await;
    }
    ledger.catch_up(&journal).unwrap();
    let (mut cursor, mut listed) = (None, Vec::new());
    loop {
        let (page, next) = ledger.incidents(cursor.as_deref(), 5).unwrap();
        assert!(page.len() <= 5);
        listed.extend(page.into_iter().map(|incident| incident.id));
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(listed, (1..=12).rev().map(|number| format!("i-{number}")).collect::<Vec<_>>());
    let open_ids = |names: &[&str]| -> Vec<String> {
        ledger.open_incidents(&stores(names)).unwrap().into_iter().map(|incident| incident.id).collect()
    };
    assert_eq!(open_ids(&["hris", "other"])[0], "i-12");
    assert_eq!(open_ids(&["payroll"]).len(), 6);
    assert!(open_ids(&["other"]).is_empty());
    let mut closed = ledger.incident("i-12").unwrap().unwrap();
    closed.state = State::Closed;
    put(&journal, 20, moved(closed, 0, &[], &[])).await;
    ledger.catch_up(&journal).unwrap();
    assert_eq!(open_ids(&["hris"])[0], "i-10");
    assert_eq!(ledger.incident("i-12").unwrap().unwrap().state, State::Closed);
    assert_eq!(ledger.incidents(None, 100).unwrap().0.len(), 12, "it is the same incident");
}
