//! The control group: were the canaries seen drawn blindly from planted and ghosts, how likely were so many of one
//! store's own? It covers guessing, noise and a stolen register; that no other store leaked, it cannot say.

use crate::attribution::{copies::Candidate, evidence::Evidence, hypergeometric::upper_tail, problem::Problem};
use std::collections::{BTreeMap, BTreeSet};

/// The canaries that were only ever in one store: they alone go into the ghost test, for a fed one proves nothing
/// between its stores.
pub struct OwnCanaries {
    /// Of each store: how many, and how many of them were seen.
    of: BTreeMap<String, (u64, u64)>,
    ghosts: u64,
    ghosts_seen: u64,
}

impl OwnCanaries {
    /// Counts them.
    pub fn of(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>) -> Self {
        let mut of: BTreeMap<String, (u64, u64)> =
            candidates.iter().map(|candidate| (candidate.store.clone(), (0, 0))).collect();
        for (number, facts) in evidence.canaries.iter().enumerate() {
            let stores: BTreeSet<&String> = facts.stays.iter().map(|stay| &stay.store).collect();
            if let [store] = stores.into_iter().collect::<Vec<_>>()[..] {
                let (planted, seen) = of.entry(store.clone()).or_default();
                *planted += 1;
                *seen += u64::from(evidence.seen.contains(number));
            }
        }
        OwnCanaries { of, ghosts: problem.ghosts, ghosts_seen: problem.ghosts_seen.min(problem.ghosts) }
    }

    /// How likely so many of the store's own would be, were the seen drawn blindly; none for a store without canaries of
    /// its own, or where there are no ghosts to draw from.
    pub fn ghost_p(&self, store: &str) -> Option<f64> {
        let (planted, seen) = *self.of.get(store)?;
        if planted == 0 || self.ghosts == 0 {
            return None;
        }
        let all = self.ghosts + self.of.values().map(|(planted, _)| planted).sum::<u64>();
        let drawn = self.ghosts_seen + self.of.values().map(|(_, seen)| seen).sum::<u64>();
        Some(upper_tail(all, planted, drawn, seen))
    }
}
