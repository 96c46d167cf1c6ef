//! Incidents and the outbox.

use crate::{
    journal::records::{at, new_keyring, open},
    ledger::records::{attempted, incident, moved, put},
};
use std::{collections::BTreeSet, time::Duration};
use telltale::{
    domain::{incident::State, record::AttemptOutcome},
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
    assert!(ledger.due(at(99)).unwrap().is_empty());
    assert_eq!(ledger.next_due().unwrap(), Some(at(100)));
    let due = ledger.due(at(100)).unwrap();
    let of: Vec<_> = due.iter().map(|due| (due.alert.as_str(), due.sink.as_str(), due.attempt)).collect();
    assert_eq!(of, [("a-1", "siem", 1), ("a-1", "soc", 1)]);
    let alert = ledger.alert(&journal, "a-1").unwrap().unwrap();
    assert_eq!((alert.id.as_str(), alert.incident.unwrap().id), ("a-1", format!("i-{seq}")));

    put(&journal, 101, attempted("a-1", "siem", 1, AttemptOutcome::Delivered)).await;
    put(&journal, 101, attempted("a-1", "soc", 1, AttemptOutcome::Retry { after: Duration::from_secs(30) })).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.due(at(130)).unwrap().is_empty());
    let due = ledger.due(at(131)).unwrap();
    assert_eq!((due.len(), due[0].sink.as_str(), due[0].attempt, due[0].next), (1, "soc", 2, at(131)));
    put(&journal, 131, attempted("a-1", "soc", 2, AttemptOutcome::Dead)).await;
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.due(at(1_000_000)).unwrap().is_empty() && ledger.next_due().unwrap().is_none());
    let dead = ledger.dead_letters().unwrap();
    assert_eq!((dead.len(), dead[0].sink.as_str(), dead[0].attempt), (1, "soc", 2));
    assert_eq!(ledger.attempts("a-1").unwrap().len(), 3);
    assert!(ledger.attempts("a-10").unwrap().is_empty());
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
