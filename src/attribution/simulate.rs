//! Many leaks that have not happened, each judged as a real one would be: how many are asserted, how many wrongly, how
//! many stay inconclusive, and how well the time of the copy is told. Chance comes in as a seed.

use crate::{
    attribution::{
        decide::attribute,
        ghosts::STRONG_KINDS,
        problem::Problem,
        scenario::{Leak, drawn, seen_and_audited},
    },
    domain::verdict::{StoreScore, Verdict},
};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

/// What came of many leaks of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub trials: u64,
    /// A store was accused, and all that were are sources.
    pub asserted: u64,
    /// Of these: every source was.
    pub complete: u64,
    /// A store was accused that is no source.
    pub wrong: u64,
    /// Nobody was accused, though canaries were seen.
    pub inconclusive: u64,
    /// No canary was seen.
    pub unseen: u64,
    /// Sources, and how many of them were accused.
    pub sources: u64,
    pub sources_told: u64,
    /// A store that is a source had a likelihood ratio of 10^3 and a posterior of 0.999, whatever the other conditions said; and
    /// one that is not had.
    pub likely: u64,
    pub likely_wrong: u64,
    /// Windows told, how many of them hold the moment of the copy, and their widths in hours, shortest first.
    pub windows: u64,
    pub windows_right: u64,
    pub widths: Vec<f64>,
}

impl Tally {
    /// Half of the windows are no wider, in days.
    pub fn median_days(&self) -> Option<f64> {
        self.widths.get(self.widths.len() / 2).map(|hours| hours / 24.0)
    }

    fn take(&mut self, base: &Problem, sources: &[usize], taken: Timestamp, verdict: &Verdict, seen: usize) {
        let is_source = |store: &str| sources.iter().any(|source| base.stores[*source] == store);
        let accused: Vec<&str> =
            verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.as_str()).collect();
        let right = accused.iter().filter(|store| is_source(store)).count();
        self.trials += 1;
        self.sources += sources.len() as u64;
        self.sources_told += right as u64;
        match (accused.len(), seen) {
            (0, 0) => self.unseen += 1,
            (0, _) => self.inconclusive += 1,
            (count, _) if count > right => self.wrong += 1,
            _ => {
                self.asserted += 1;
                self.complete += u64::from(right == sources.len());
            }
        }
        let likely = |score: &&StoreScore| {
            score.log10_lr.is_some_and(|lr| lr >= 3.0) && score.posterior.is_some_and(|posterior| posterior >= 0.999)
        };
        let (right, wrong): (Vec<&StoreScore>, Vec<&StoreScore>) =
            verdict.stores.iter().filter(likely).partition(|score| is_source(&score.store));
        self.likely += u64::from(!right.is_empty());
        self.likely_wrong += u64::from(!wrong.is_empty());
        if let (Some(window), [_]) = (&verdict.window, sources) {
            self.windows += 1;
            self.windows_right += u64::from(window.from <= taken && taken <= window.to);
            self.widths.push(window.to.duration_since(window.from).as_secs_f64() / 3600.0);
        }
    }
}

/// So many leaks of this kind, each of sources and at a moment drawn from the seed. `from` is the first moment at which a
/// copy may have been taken. None where there are not as many stores as copies.
pub fn simulate(base: &Problem, leak: Leak, from: Timestamp, trials: u64, seed: u64) -> Option<Tally> {
    if base.stores.len() < leak.copies {
        return None;
    }
    let mut random = StdRng::seed_from_u64(seed);
    let mut tally = Tally::default();
    let whole = base.now.duration_since(from).as_secs_f64().max(0.0);
    for _ in 0..trials {
        let mut sources = (0..base.stores.len()).sample(&mut random, leak.copies);
        sources.sort_unstable();
        let back = jiff::SignedDuration::from_secs_f64(whole * random.random::<f64>());
        let taken = base.now.checked_sub(back).unwrap_or(base.now);
        let seen = drawn(base, &sources, leak, taken, &mut random);
        let count = seen.len();
        let mut problem = seen_and_audited(base, seen);
        problem.ghosts_seen = strays(base.ghosts as f64 * leak.stray / STRONG_KINDS, &mut random);
        let verdict = attribute(&problem);
        tally.take(base, &sources, taken, &verdict, count);
    }
    tally.widths.sort_by(f64::total_cmp);
    Some(tally)
}

/// How many things happen by chance where so many do on average: they follow each other after times that are drawn.
fn strays(mean: f64, random: &mut StdRng) -> u64 {
    let mut passed = 0.0;
    let mut count = 0;
    loop {
        passed -= (1.0 - random.random::<f64>()).ln();
        if passed >= mean {
            return count;
        }
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::simulate;
    use crate::attribution::{
        rules::Rule,
        scenario::{Leak, PlannedStore, planned},
    };

    #[test]
    fn every_trial_is_counted_once_and_a_seed_gives_the_same_again() {
        let store = |name: &str| PlannedStore { store: name.to_owned(), canaries: 30, kept_home: 0, feeds: Vec::new() };
        let base = planned(&["a", "b", "c"].map(store), 1_000_000);
        let leak = Leak { rule: Rule::Union, copies: 2, share: 0.2, stray: 0.001 };
        let first = simulate(&base, leak, base.now, 20, 7).unwrap();
        assert_eq!(first.asserted + first.wrong + first.inconclusive + first.unseen, 20);
        assert!(first.wrong == 0 && first.asserted > 0 && first.complete <= first.asserted, "{first:?}");
        assert_eq!((first.sources, first.windows), (40, 0));
        assert_eq!(simulate(&base, leak, base.now, 20, 7).unwrap(), first);
        assert_ne!(simulate(&base, leak, base.now, 20, 8).unwrap(), first);
        assert_eq!(simulate(&base, Leak { copies: 4, ..leak }, base.now, 1, 1), None);
    }
}
