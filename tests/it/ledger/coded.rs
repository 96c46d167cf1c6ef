//! Coded personas in the ledger: one person, several placements, one name under which it is seen.

use crate::{
    journal::records::{at, canary, new_keyring, open, planned},
    ledger::records::put,
};
use jiff::civil::date;
use telltale::{
    domain::{
        placement::{Lot, Shared, State},
        record::Record,
    },
    journal::key_ref::KeyRef,
    ledger::state::Ledger,
};

const PERSONA: u32 = 100;

/// A placement of the persona in this store.
fn bears(number: u32, store: &str, marker: &str) -> Record {
    let Record::Planned { mut placement, mut contents, index } = planned(canary(number), store) else { panic!() };
    placement.persona = Some(Shared { id: canary(PERSONA), ordinal: 7, attempt: 2, minted: date(2026, 5, 1) });
    marker.clone_into(&mut contents.markers[0].value);
    Record::Planned { placement, contents, index }
}

fn verified(store: &str, present: &[u32], missing: &[u32], copied: &[u32]) -> Record {
    let names = |numbers: &[u32]| numbers.iter().map(|number| canary(*number)).collect::<Vec<_>>();
    Record::Verified {
        store: store.to_owned(),
        present: names(present),
        missing: names(missing),
        altered: Vec::new(),
        copied: names(copied),
        rows: None,
    }
}

#[tokio::test]
async fn one_persona_stands_in_several_stores_under_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &new_keyring(folder.path()));
    journal.keyring().ensure(&[1, 2, PERSONA].map(|number| KeyRef::Canary(canary(number)))).unwrap();
    let lots = |drawn| vec![Lot { persona: canary(PERSONA), chance: 0.5, drawn, value: None }];
    let drawn =
        |store: &str, generation, drawn| Record::Drawn { store: store.to_owned(), generation, lots: lots(drawn) };
    let planted = |number| Record::Planted { canary: canary(number), locator: format!("row {number}") };
    for (second, record) in [
        drawn("payroll", 1, true),
        drawn("hris", 1, true),
        drawn("badges", 1, false),
        // A lot is never drawn again.
        drawn("badges", 2, true),
        bears(1, "payroll", "one@example.org"),
        planted(1),
        bears(2, "hris", "two@example.org"),
        planted(2),
        verified("payroll", &[1], &[], &[]),
        // A feed brought it where it was not drawn.
        verified("badges", &[], &[], &[PERSONA]),
        verified("hris", &[], &[2], &[]),
        Record::Withdrawn { store: "payroll".to_owned(), canaries: vec![canary(1)] },
    ]
    .into_iter()
    .enumerate()
    {
        put(&journal, second as i64, record).await;
    }
    let ledger = Ledger::open(folder.path(), &journal).unwrap();
    ledger.catch_up(&journal).unwrap();

    let lots: Vec<_> = ledger.lots().unwrap().remove(&canary(PERSONA)).unwrap();
    let told: Vec<_> = lots.iter().map(|lot| (lot.store.as_str(), lot.generation, lot.drawn, lot.at)).collect();
    assert_eq!(told, [("badges", 1, false, at(2)), ("hris", 1, true, at(1)), ("payroll", 1, true, at(0))]);
    let stays = |number: u32| {
        let found = ledger.presences_of(canary(number), &["payroll", "hris", "badges"]).unwrap();
        found.into_iter().map(|stay| (stay.store, stay.from, stay.until)).collect::<Vec<_>>()
    };
    assert_eq!(
        stays(PERSONA),
        [
            ("payroll".to_owned(), at(5), Some(at(11))),
            ("hris".to_owned(), at(7), Some(at(10))),
            ("badges".to_owned(), at(9), None)
        ]
    );
    assert!(stays(1).is_empty() && stays(2).is_empty(), "it is seen under one name");
    let state = |number: u32| ledger.placement(canary(number)).unwrap().unwrap().placement.state;
    assert_eq!((state(1), state(2)), (State::Withdrawn, State::Missing));
    assert!(ledger.placement(canary(PERSONA)).unwrap().is_none());
    assert_eq!(ledger.placements_of(canary(PERSONA)).unwrap().len(), 2);
    assert_eq!(ledger.placements_of(canary(1)).unwrap().len(), 1);
    let mut owners = std::collections::BTreeSet::new();
    ledger.index_entries(|seen, _| _ = owners.insert(seen)).unwrap();
    assert_eq!(owners, [canary(PERSONA)].into());
    let contents = ledger.contents(&journal, canary(PERSONA)).unwrap().unwrap();
    let markers: Vec<&str> = contents.markers.iter().map(|marker| marker.value.as_str()).collect();
    assert_eq!(markers, ["two@example.org", "one@example.org"], "hris comes before payroll");

    // Planted again after it was taken out, it is the same placement; given up, it is what it was: a copy of before may leak.
    put(&journal, 20, bears(1, "payroll", "one@example.org")).await;
    ledger.catch_up(&journal).unwrap();
    assert_eq!(state(1), State::Planned);
    put(&journal, 21, Record::Abandoned { canaries: vec![canary(1)] }).await;
    ledger.catch_up(&journal).unwrap();
    assert_eq!(state(1), State::Withdrawn);
    assert_eq!(ledger.bearers(canary(PERSONA)).unwrap().len(), 2);
    assert!(!ledger.entries_of(canary(1)).unwrap().is_empty());
    let before = ledger.digest().unwrap();
    ledger.rebuild(&journal).unwrap();
    assert_eq!(ledger.digest().unwrap(), before, "the journal gives the same rows again");
}
