//! Strangers are counted exactly, over a crash too, and leave nothing else behind.

use crate::journal::records::{acted, copy, new_keyring, open};
use std::{collections::BTreeMap, net::IpAddr, path::Path};
use telltale::{domain::record::Record, journal::log::Journal};

/// Folded counts by sensor and source.
fn folded(journal: &Journal) -> BTreeMap<(String, Option<IpAddr>), u64> {
    let mut found = BTreeMap::new();
    for entry in journal.read(1) {
        if let Ok(Record::Strangers { tallies, .. }) = entry.unwrap().record {
            for tally in tallies {
                *found.entry((tally.sensor, tally.source)).or_default() += tally.count;
            }
        }
    }
    found
}

fn bytes_on_disk(data: &Path) -> u64 {
    std::fs::read_dir(data.join("journal")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

fn source(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + number).to_be_bytes())
}

#[tokio::test]
async fn counts_are_exact_over_a_crash_and_a_second_one() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    for number in 0..30 {
        journal.count("portal", Some(source(number % 3)), 700).await.unwrap();
    }
    journal.append(&acted("between")).await.unwrap();
    journal.count("mx", None, 512).await.unwrap();
    let crashed = tempfile::tempdir().unwrap();
    copy(folder.path(), crashed.path());
    // It goes on counting where it was, and crashes again.
    let again = open(crashed.path(), &keyring);
    again.count("portal", Some(source(0)), 512).await.unwrap();
    let twice = tempfile::tempdir().unwrap();
    copy(crashed.path(), twice.path());
    let last = open(twice.path(), &keyring);
    last.checkpoint().await.unwrap();
    let mut expected = BTreeMap::from([(("mx".to_owned(), None), 1)]);
    expected.extend((0..3).map(|number| (("portal".to_owned(), Some(source(number))), 10)));
    *expected.get_mut(&("portal".to_owned(), Some(source(0)))).unwrap() += 1;
    assert_eq!(folded(&last), expected);
    // What is folded is not folded again, whether it is closed in order or not.
    let thrice = tempfile::tempdir().unwrap();
    copy(twice.path(), thrice.path());
    last.close().await;
    drop(last);
    for data in [twice.path(), thrice.path()] {
        let journal = open(data, &keyring);
        journal.checkpoint().await.unwrap();
        assert_eq!(folded(&journal), expected);
    }
}

#[tokio::test]
async fn a_flood_costs_bounded_disk_and_a_count() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..50u32 {
        let journal = journal.clone();
        tasks.spawn(async move {
            for number in 0..100 {
                journal.count("portal", Some(source(task * 100 + number)), 4544).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    // 5000 touches of 4.5 kB are 22 MB.
    assert!(bytes_on_disk(folder.path()) < 18 << 20, "{} bytes", bytes_on_disk(folder.path()));
    journal.close().await;
    let counts = folded(&open(folder.path(), &keyring));
    assert_eq!(counts.values().sum::<u64>(), 5000);
    // A minute may have turned while it ran: up to twice as many sources.
    assert!(counts.len() <= 2 * 1024 + 1, "{} sources are told apart", counts.len());
    assert!(counts[&("portal".to_owned(), None)] >= 5000 - 2 * 1024);
}
