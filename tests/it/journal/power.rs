//! Power cuts: whatever of the unsynced the disk lost, tore or re-ordered, files and names, what was acknowledged is there.

use crate::{
    journal::{
        records::acted,
        works::{Told, Works, opened},
    },
    support::{
        campaign::{long, say, seed},
        layer::Layer,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use telltale::{
    domain::record::Record,
    journal::{
        entry::Entry,
        keyring::{Keyring, KeyringError},
        log::Journal,
    },
};

/// Cuts of one day's work.
const CUTS: u32 = 25;
const STEPS: u32 = 90;

/// Reliability test T10; a thousand cuts with TELLTALE_LONG.
#[tokio::test]
async fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let days = if long() { 40 } else { 2 };
    let seed = seed();
    for day in 0..days {
        let mut dice = StdRng::seed_from_u64(seed.wrapping_add(day));
        let folder = tempfile::tempdir().unwrap();
        let layer = Layer::over(folder.path());
        let mut works = Works::found(&layer, &folder.path().join("data"), StdRng::from_rng(&mut dice)).unwrap();
        let founded = layer.moment();
        for _ in 0..STEPS {
            works.step().await;
        }
        assert!(works.told.refused.is_empty() && works.told.failed == 0, "nothing fails on a sound disk");
        works.journal.close().await;
        let leaves = leaves(&works.journal);
        for cut in 0..CUTS {
            // Every third one right after something was acknowledged.
            let moment = match (cut % 3, cut) {
                (_, 0) => dice.random_range(0..founded),
                (0, _) => works.told.entries[dice.random_range(0..works.told.entries.len())].0,
                _ => dice.random_range(founded..=layer.moment()),
            };
            let case = format!("TELLTALE_SEED={seed}, day {day}, cut {cut} at {moment} of {}", layer.moment());
            survived(&case, &works, moment, &leaves, &mut dice).await;
        }
    }
    say(&format!("{} power cuts, and as many after them (seed {seed})", days as u32 * CUTS));
}

fn leaves(journal: &Journal) -> Vec<[u8; 32]> {
    journal.read(1).map(|entry| entry.unwrap().leaf).collect()
}

/// Cuts, recovers, works on, and cuts and recovers once more.
async fn survived(case: &str, works: &Works, moment: usize, all: &[[u8; 32]], dice: &mut StdRng) {
    let first = tempfile::tempdir().unwrap();
    works.layer.cut(moment, dice, first.path());
    let data = first.path().join("data");
    let told = &works.told;
    if told.keys.first().is_none_or(|(founded, _)| *founded > moment) {
        // Nothing was acknowledged yet: there is a house or none, and never half a one.
        let keyring = Keyring::open(&data, &works.master).map(|_| ());
        assert!(matches!(keyring, Ok(()) | Err(KeyringError::Missing(_))), "{case}: {keyring:?}");
        return;
    }
    let layer = Layer::over(first.path());
    let (keyring, journal) = opened(case, &layer, &data, &works.master);
    let entries: Vec<Entry> = journal.read(1).map(|entry| entry.unwrap()).collect();
    let same = entries.iter().zip(all).take_while(|(entry, leaf)| entry.leaf == **leaf).count();
    assert!(same as u64 >= told.head(moment), "{case}: {same} entries are left of {}", told.head(moment));
    // The minute may be over meanwhile, and what was counted in it is folded.
    let folded = matches!(&entries[same..], [] | [Entry { record: Ok(Record::Strangers { .. }), .. }]);
    assert!(folded, "{case}: what is left is how it was, but for entries {:?}", same + 1..=entries.len());
    let due = told.check(case, &data, &keyring, &journal, moment).await;
    told.outbox(case, &data, &journal, moment, &due);

    // What was left counts as acknowledged from here on: somebody may have seen it.
    let (mut more, mut dated) = (Vec::new(), told.since(moment));
    for number in 0..dice.random_range(1..12) {
        let record = acted(format!("goes on {number} {}", "y".repeat(dice.random_range(0..900))));
        more.push((journal.append(&record).await.unwrap_or_else(|e| panic!("{case}: {e}")), layer.moment()));
        dated.tried_also(&record);
    }
    let moment = dice.random_range(0..=layer.moment());
    let second = tempfile::tempdir().unwrap();
    layer.cut(moment, dice, second.path());
    drop((journal, keyring));
    let case = format!("{case}, then at {moment} of {}", layer.moment());
    let data = second.path().join("data");
    let (keyring, journal) = opened(&case, &Layer::over(second.path()), &data, &works.master);
    let now = leaves(&journal);
    assert_eq!(now[..same], all[..same], "{case}: what was recovered stays");
    let acknowledged = more.iter().filter(|(_, at)| *at <= moment).map(|(seq, _)| *seq).max().unwrap_or(0);
    assert!(journal.head() >= acknowledged, "{case}: the recovered house goes on");
    dated.check(&case, &data, &keyring, &journal, usize::MAX).await;
}

impl Told {
    /// The same as of a moment, after which nothing more was acknowledged.
    fn since(&self, moment: usize) -> Told {
        let until = |at: &usize| *at <= moment;
        Told {
            entries: self.entries.iter().filter(|(at, ..)| until(at)).cloned().collect(),
            tried: self.tried.clone(),
            counted: self.counted.iter().copied().filter(until).collect(),
            counting: self.counting.iter().copied().filter(|at| *at < moment).collect(),
            keys: self.keys.iter().copied().filter(|(at, _)| until(at)).collect(),
            erased: self
                .erased
                .iter()
                .filter(|(begun, ..)| *begun < moment)
                .map(|(begun, done, key)| (*begun, done.filter(until), *key))
                .collect(),
            taken: self.taken.iter().filter(|(at, ..)| until(at)).cloned().collect(),
            settled: self
                .settled
                .iter()
                .filter(|(_, (begun, _))| *begun < moment)
                .map(|(of, (begun, done))| (of.clone(), (*begun, done.filter(until))))
                .collect(),
            ..Told::default()
        }
    }
}
