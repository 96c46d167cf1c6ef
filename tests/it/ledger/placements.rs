//! Placements, presences, accounts and the rest, as the records made them.

use crate::{
    journal::records::{at, canary, new_keyring, open, planned},
    ledger::records::{everything, put},
};
use telltale::{
    domain::{
        placement::{Presence, State},
        record::{Alteration, Record, Role},
    },
    journal::key_ref::KeyRef,
    ledger::state::Ledger,
};

#[tokio::test]
async fn a_little_of_everything_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, ledger) = everything(folder.path()).await;
    assert_eq!(ledger.head(), journal.head());
    let row = ledger.placement(canary(1)).unwrap().unwrap();
    assert_eq!((row.placement.state, row.planned, row.planted), (State::Planted, 1, Some(5)));
    assert_eq!(ledger.placement(canary(3)).unwrap().unwrap().placement.state, State::Withdrawn);
    assert!(ledger.placement(canary(4)).unwrap().is_none(), "abandoned");
    assert_eq!(ledger.placements(None).unwrap().len(), 3);
    assert_eq!(ledger.placements(Some("payroll")).unwrap().len(), 2);
    assert_eq!(ledger.placements(Some("pay")).unwrap().len(), 0);
    assert_eq!((ledger.generation("payroll").unwrap(), ledger.generation("hris").unwrap()), (2, 1));
    let contents = ledger.contents(&journal, canary(1)).unwrap().unwrap();
    assert_eq!(contents.locator.as_deref(), Some("id=17"));
    assert_eq!(contents.markers[0].value, "secret.marker@courriel.example.org");
    let mut index = Vec::new();
    ledger.index_entries(|canary, entry| index.push((canary, entry))).unwrap();
    let Record::Planned { index: written, .. } = planned(canary(1), "payroll") else { panic!() };
    assert_eq!(index.len(), 6, "three canaries of two entries");
    assert!(written.iter().all(|entry| index.contains(&(canary(1), *entry))));
    let touched = ledger.touched(canary(1)).unwrap().unwrap();
    assert_eq!((touched.first, touched.last, touched.count), (12, 12, 1));
    assert_eq!(ledger.sightings(1, 10).unwrap().len(), 1);
    assert!(ledger.sightings(13, 10).unwrap().is_empty());
    assert_eq!(ledger.sightings_of("i-14").unwrap(), [12]);
    assert_eq!(ledger.sighting(&journal, 12).unwrap().unwrap().canary, canary(1));
    assert_eq!(ledger.strangers().unwrap(), [("portal".to_owned(), 41)]);
    assert_eq!(ledger.judged().unwrap(), 12);
    assert_eq!(ledger.by_sha256(&[1; 32]).unwrap(), Some(("t1".to_owned(), Role::Analyst)));
    assert_eq!(ledger.by_sha256(&[2; 32]).unwrap(), None, "revoked");
    assert_eq!(ledger.accounts().unwrap().len(), 2);
    assert!(ledger.account("t2").unwrap().unwrap().revoked_at.is_some());
    assert_eq!(ledger.position(&journal, "pastes").unwrap(), Some(serde_json::json!({"seen": 7})));
    assert_eq!(ledger.position(&journal, "other").unwrap(), None);
    let reveals = ledger.reveals(&journal).unwrap();
    assert_eq!((reveals.len(), reveals[0].by.as_str(), reveals[0].seq), (1, "uid:1000", 22));
    assert_eq!(ledger.audit("directory").unwrap().unwrap().copied, 1);
    assert_eq!(ledger.trace("x1").unwrap().unwrap().materials, [25]);
    assert!(ledger.verdict(&journal, "x1").unwrap().is_some());
    assert!(ledger.verdict(&journal, "x2").unwrap().is_none());

    journal.keyring().erase(KeyRef::Canary(canary(1))).unwrap();
    assert!(ledger.contents(&journal, canary(1)).unwrap().is_none(), "its key is gone");
    ledger.rebuild(&journal).unwrap();
    assert!(ledger.placement(canary(1)).unwrap().is_none() && ledger.placement(canary(2)).unwrap().is_some());
}

#[tokio::test]
async fn presences_are_what_audits_and_withdrawals_say() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &new_keyring(folder.path()));
    let ledger = Ledger::open(folder.path(), &journal).unwrap();
    let audit = |store: &str, present: &[u32], missing: &[u32], altered: &[u32]| Record::Verified {
        store: store.to_owned(),
        present: present.iter().map(|number| canary(*number)).collect(),
        missing: missing.iter().map(|number| canary(*number)).collect(),
        altered: altered
            .iter()
            .map(|number| Alteration {
                canary: canary(*number),
                field: "email".to_owned(),
                old: "f1".to_owned(),
                new: "f2".to_owned(),
            })
            .collect(),
        copied: vec![],
        rows: None,
    };
    for number in [1, 2] {
        put(&journal, 0, planned(canary(number), "hris")).await;
        put(&journal, 10, Record::Planted { canary: canary(number), locator: "x".to_owned() }).await;
    }
    put(&journal, 20, audit("hris", &[1, 2], &[], &[])).await;
    put(&journal, 21, audit("payroll", &[1], &[], &[])).await;
    put(&journal, 30, audit("hris", &[2], &[1], &[2])).await;
    ledger.catch_up(&journal).unwrap();
    let state = |number| ledger.placement(canary(number)).unwrap().unwrap().placement;
    assert_eq!((state(1).state, state(1).since), (State::Missing, at(30)));
    assert_eq!((state(2).state, state(2).since), (State::Altered, at(30)));
    put(&journal, 40, audit("payroll", &[], &[], &[])).await;
    put(&journal, 50, audit("hris", &[1, 2], &[], &[])).await;
    put(&journal, 60, Record::Withdrawn { store: "hris".to_owned(), canaries: vec![canary(2)] }).await;
    put(&journal, 70, audit("hris", &[1], &[], &[])).await;
    ledger.catch_up(&journal).unwrap();
    assert_eq!((state(1).state, state(1).since), (State::Planted, at(50)));
    assert_eq!((state(2).state, state(2).since), (State::Withdrawn, at(60)));
    let presence = |number, store: &str, from, until: Option<i64>| Presence {
        canary: canary(number),
        store: store.to_owned(),
        from: at(from),
        until: until.map(at),
    };
    assert_eq!(
        ledger.presences().unwrap(),
        [
            presence(1, "hris", 10, Some(30)),
            presence(1, "hris", 50, None),
            presence(2, "hris", 10, Some(60)),
            presence(1, "payroll", 21, Some(40)),
        ]
    );
}
