//! Whatever happens to the ledger's files, it comes back equal.

use crate::{
    journal::records::{acted, copy, new_keyring, open, planned},
    ledger::records::{attempted, everything, incident, moved},
    support::campaign::{long, seed},
};
use canaries::CanaryId;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use telltale::{
    domain::record::AttemptOutcome,
    journal::log::Journal,
    ledger::{engine::Kind, state::Ledger},
};
use tokio_util::sync::CancellationToken;

fn build(data: &Path) -> PathBuf {
    let builds = fs::read_dir(data.join("ledger")).unwrap().map(|entry| entry.unwrap().path());
    builds.max_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap()).unwrap()
}

/// Opens and catches up; the store of the ledger before must be closed.
fn again(data: &Path, journal: &Journal) -> Ledger {
    let ledger = Ledger::open(data, journal).unwrap();
    ledger.catch_up(journal).unwrap();
    ledger
}

#[tokio::test]
async fn damaged_emptied_and_half_written_stores_come_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (journal, ledger) = everything(data).await;
    let digest = ledger.digest().unwrap();
    ledger.sync().unwrap();
    drop(ledger);
    let reopened = Ledger::open(data, &journal).unwrap();
    assert_eq!(reopened.head(), journal.head(), "an undamaged ledger is not rebuilt");
    assert_eq!(reopened.digest().unwrap(), digest);
    drop(reopened);

    fs::write(build(data).join("snap.00000000000FFFFF.generating"), b"half a snapshot").unwrap();
    let ledger = Ledger::open(data, &journal).unwrap();
    assert_eq!((ledger.head(), ledger.digest().unwrap()), (journal.head(), digest), "a half snapshot is no harm");
    drop(ledger);

    for step in 0..12 {
        let database = build(data).join("db");
        let mut bytes = fs::read(&database).unwrap();
        let start = bytes.len() * step / 12;
        let end = (start + 5000).min(bytes.len());
        bytes[start..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&database, &bytes).unwrap();
        let ledger = again(data, &journal);
        // What sled did not see at once is found by the rows' checksums.
        let whole = match ledger.digest() {
            Ok(found) if found == digest => ledger,
            _ => {
                ledger.rebuild(&journal).unwrap();
                ledger
            }
        };
        assert_eq!(whole.digest().unwrap(), digest, "damaged at {start}");
        whole.sync().unwrap();
    }

    fs::remove_dir_all(build(data)).unwrap();
    assert_eq!(again(data, &journal).digest().unwrap(), digest, "removed");
    let now = build(data);
    fs::remove_dir_all(&now).unwrap();
    fs::create_dir(&now).unwrap();
    assert_eq!(again(data, &journal).digest().unwrap(), digest, "emptied");
    let now = build(data);
    for file in fs::read_dir(&now).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap();
        }
    }
    assert_eq!(again(data, &journal).digest().unwrap(), digest, "cut short");
}

/// Files of a folder as they were at an earlier moment, or as a power cut between two moments could leave them.
fn put_back(earlier: &Path, later: &Path, to: &Path, dice: &mut StdRng) -> String {
    let manner = dice.random_range(0..5);
    let from = dice.random_range(0..100);
    copy(if manner == 0 { earlier } else { later }, to);
    for file in fs::read_dir(to).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let mut bytes = fs::read(&file).unwrap();
        let old = fs::read(earlier.join(file.file_name().unwrap())).unwrap_or_default();
        let start = bytes.len() * from / 100;
        match manner {
            0 => {}
            1 => bytes.truncate(start),
            2 | 3 => {
                // Sectors behind a point are what they were, or nothing.
                for (at, sector) in bytes.chunks_mut(512).enumerate().skip(start / 512) {
                    if dice.random_range(0..manner) == 0 {
                        match old.get(at * 512..at * 512 + sector.len()) {
                            Some(old) => sector.copy_from_slice(old),
                            None => sector.fill(0),
                        }
                    }
                }
            }
            _ => bytes.clear(),
        }
        fs::write(&file, bytes).unwrap();
    }
    format!("manner {manner} from {from} %")
}

/// Reliability test T10, for the ledger; 400 times with TELLTALE_LONG.
#[tokio::test(flavor = "multi_thread")]
async fn put_back_to_any_earlier_torn_or_empty_state_it_comes_back_equal() {
    let times = if long() { 400 } else { 20 };
    let seed = seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (journal, ledger) = everything(data).await;
    let mut moments = Vec::new();
    for round in 0..10 {
        let records: Vec<_> =
            (0..30).map(|number| moved(incident(&["payroll"], number), 0, &[], &["soc", "siem"])).collect();
        let first = journal.append_all(&records).await.unwrap().start;
        let sent = (first..first + 20).map(|seq| attempted(&format!("a-{seq}"), "soc", 1, AttemptOutcome::Delivered));
        journal.append_all(&sent.collect::<Vec<_>>()).await.unwrap();
        ledger.catch_up(&journal).unwrap();
        if round % 2 == 0 {
            ledger.sync().unwrap();
        }
        let moment = tempfile::tempdir().unwrap();
        copy(&build(data), moment.path());
        moments.push(moment);
    }
    let scratch = Ledger::open(tempfile::tempdir().unwrap().path(), &journal).unwrap();
    scratch.catch_up(&journal).unwrap();
    let digest = scratch.digest().unwrap();
    assert_eq!(ledger.digest().unwrap(), digest);
    drop((ledger, scratch));
    for time in 0..times {
        let later = dice.random_range(0..moments.len());
        let earlier = dice.random_range(0..=later);
        fs::remove_dir_all(data.join("ledger")).unwrap();
        let how = put_back(moments[earlier].path(), moments[later].path(), &data.join("ledger/1"), &mut dice);
        let case = format!("TELLTALE_SEED={seed}, time {time}: {earlier} under {later}, {how}");
        let ledger = Ledger::open(data, &journal).unwrap_or_else(|error| panic!("{case}: {error}"));
        // As the service does: whatever the store answers, or panics about, the follower mends.
        let stop = CancellationToken::new();
        let following = ledger.follow(journal.clone(), stop.clone());
        let reached = tokio::time::timeout(Duration::from_secs(30), ledger.reached(journal.head())).await;
        assert!(reached.is_ok(), "{case}: it never caught up");
        stop.cancel();
        following.await.unwrap();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ledger.digest().ok()));
        // A row that does not check is an answer of its own: whoever meets it has the ledger rebuilt.
        if found.as_ref().is_ok_and(Option::is_some) {
            assert_eq!(found.unwrap(), Some(digest), "{case}: it tells something else");
        } else {
            ledger.rebuild(&journal).unwrap();
            assert_eq!(ledger.digest().unwrap(), digest, "{case}: rebuilt");
        }
    }
}

#[tokio::test]
async fn a_ledger_of_another_journal_is_not_believed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, ledger) = everything(folder.path()).await;
    ledger.sync().unwrap();
    let foreign = build(folder.path());
    drop(ledger);
    let journal = open(other.path(), &new_keyring(other.path()));
    for number in 0..40 {
        journal.append(&acted(format!("{number}"))).await.unwrap();
    }
    fs::create_dir_all(other.path().join("ledger")).unwrap();
    fs::rename(foreign, other.path().join("ledger/1")).unwrap();
    let ledger = Ledger::open(other.path(), &journal).unwrap();
    assert_eq!(ledger.head(), 0);
    ledger.catch_up(&journal).unwrap();
    assert!(ledger.placements(None).unwrap().is_empty());
    assert_eq!(ledger.head(), 40);
}

#[tokio::test]
async fn one_by_one_and_in_batches_give_the_same_rows() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (journal, ledger) = everything(folder.path()).await;
    let single = Ledger::open(other.path(), &journal).unwrap();
    for entry in journal.read(1) {
        let entry = entry.unwrap();
        single.apply(&entry).unwrap();
        single.apply(&entry).unwrap();
    }
    assert_eq!(single.digest().unwrap(), ledger.digest().unwrap());
}

#[tokio::test]
async fn it_follows_behind_the_journal_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    let ledger = Ledger::open(folder.path(), &journal).unwrap();
    let stop = CancellationToken::new();
    let following = ledger.follow(journal.clone(), stop.clone());
    let mut last = 0;
    for number in 0..200u32 {
        let id = CanaryId([number as u8; 10]);
        keyring.ensure(&[telltale::journal::key_ref::KeyRef::Canary(id)]).unwrap();
        last = journal.append(&planned(id, "payroll")).await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(20), ledger.reached(last)).await.expect("it catches up");
    assert_eq!(ledger.placements(Some("payroll")).unwrap().len(), 200);
    stop.cancel();
    following.await.unwrap();
    for file in fs::read_dir(build(folder.path())).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let secret = b"secret.marker";
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a marker in {}", path.display());
        }
    }
}

/// The other engine holds the same rows, pages them alike, and comes back equal from whatever happens to its file; and so does a
/// ledger whose engine was changed.
#[tokio::test]
async fn in_the_other_engine_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (journal, ledger) = everything(data).await;
    let more: Vec<_> = (100..110).map(|number| moved(incident(&["payroll"], number), 0, &[], &["soc"])).collect();
    journal.append_all(&more).await.unwrap();
    ledger.catch_up(&journal).unwrap();
    let digest = ledger.digest().unwrap();
    let pages = |ledger: &Ledger| {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let (found, next) = ledger.incidents(cursor.as_deref(), 1).unwrap();
            ids.extend(found.into_iter().map(|incident| incident.id));
            let Some(next) = next else { return ids };
            cursor = Some(next);
        }
    };
    let listed = pages(&ledger);
    assert!(listed.len() > 10);
    ledger.sync().unwrap();
    drop(ledger);
    let open = || Ledger::open_in(Kind::Redb, data, &journal).unwrap();
    let again = || {
        let ledger = open();
        ledger.catch_up(&journal).unwrap();
        ledger
    };
    let ledger = open();
    assert_eq!(ledger.head(), 0, "what sled holds is not taken for its own");
    ledger.catch_up(&journal).unwrap();
    assert_eq!((ledger.digest().unwrap(), pages(&ledger)), (digest, listed));
    ledger.sync().unwrap();
    drop(ledger);
    assert_eq!(open().head(), journal.head(), "an undamaged ledger is not rebuilt");

    for step in 0..12 {
        let file = build(data).join("ledger.redb");
        let mut bytes = fs::read(&file).unwrap();
        match step {
            0 => bytes.clear(),
            1 => bytes.truncate(bytes.len() / 2),
            _ => {
                let start = bytes.len() * (step - 2) / 10;
                let end = (start + 5000).min(bytes.len());
                bytes[start..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
            }
        }
        fs::write(&file, &bytes).unwrap();
        let ledger = again();
        // What redb did not see at once is found by the rows' checksums.
        match ledger.digest() {
            Ok(found) if found == digest => {}
            _ => ledger.rebuild(&journal).unwrap(),
        }
        assert_eq!(ledger.digest().unwrap(), digest, "step {step}");
        ledger.sync().unwrap();
    }
    let ledger = Ledger::open(data, &journal).unwrap();
    assert_eq!(ledger.head(), 0, "nor is what redb holds sled's");
    ledger.catch_up(&journal).unwrap();
    assert_eq!(ledger.digest().unwrap(), digest);
}

/// What a crash takes of its last second is read from the journal again.
#[tokio::test]
async fn in_the_other_engine_a_crash_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), &new_keyring(folder.path()));
    let ledger = Ledger::open_in(Kind::Redb, folder.path(), &journal).unwrap();
    let mut behind = false;
    for number in 0..20 {
        journal.append(&acted(number.to_string())).await.unwrap();
        ledger.catch_up(&journal).unwrap();
        // As the disk has it at this moment.
        let other = tempfile::tempdir().unwrap();
        copy(folder.path(), other.path());
        let found = Ledger::open_in(Kind::Redb, other.path(), &journal).unwrap();
        behind |= found.head() < journal.head();
        found.catch_up(&journal).unwrap();
        assert_eq!(found.digest().unwrap(), ledger.digest().unwrap());
    }
    assert!(behind, "its last second waits for no disk");
}
