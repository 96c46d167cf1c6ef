//! The control group: were the canaries seen drawn blindly from planted and ghosts, how likely were so many of one
//! store's own? It covers guessing, noise and a stolen register; that no other store leaked, it cannot say.

use crate::{
    attribution::{
        bits::Bits,
        copies::{Candidate, reached},
        evidence::Evidence,
        hypergeometric::ln_upper_tail,
        likelihood::{FALSE_SIGHTING, false_sighting},
        problem::Problem,
    },
    domain::sighting::Class,
};
use std::collections::BTreeSet;

/// The kinds of marker that identify alone, of which a ghost has one and a canary has all at most.
pub const STRONG_KINDS: f64 = 6.0;

/// How frequent chance is made, to see whether a verdict outlasts it: a hundred times what the ghosts show (the mean of
/// Jeffreys' Beta(½ + seen, ½ + unseen), for each kind of marker that a canary may have); never below the modelled rate nor
/// above a hundred times that, which it is where nothing tells: no ghosts, or a class that shows none.
pub fn louder_chance(problem: &Problem, class: Class) -> f64 {
    // What is weak as it is, is made ten times as loud: it is a tenth then.
    if class == Class::Preview {
        return false_sighting(class) * 10.0;
    }
    let most = FALSE_SIGHTING * LOUDER;
    if problem.ghosts == 0 || class == Class::Document {
        return most;
    }
    let shown = (problem.ghosts_seen as f64 + 0.5) / (problem.ghosts as f64 + 1.0);
    (shown * STRONG_KINDS * LOUDER).clamp(FALSE_SIGHTING, most)
}

/// So many times more frequent.
const LOUDER: f64 = 100.0;

/// The canaries that were only ever in one store: they alone go into the ghost test, for a fed one proves nothing
/// between its stores. Those whose stores were drawn by lot have a bound of their own.
pub struct OwnCanaries {
    /// Of each candidate.
    of: Vec<Bits>,
    ghosts: u64,
    ghosts_seen: u64,
}

impl OwnCanaries {
    /// Finds them. A store that feeds others must have been looked at after the planting, and each store that it feeds:
    /// what nobody looked for may have been copied.
    pub fn of(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>) -> Self {
        let reached = reached(problem);
        let none = BTreeSet::new();
        let mut of: Vec<Bits> = candidates.iter().map(|_| Bits::empty(evidence.canaries.len())).collect();
        for (number, facts) in evidence.canaries.iter().enumerate().filter(|(_, facts)| facts.draw.is_none()) {
            let stores: BTreeSet<&String> = facts.stays.iter().map(|stay| &stay.store).collect();
            let [store] = stores.into_iter().collect::<Vec<_>>()[..] else { continue };
            let planted = facts.stays.iter().map(|stay| stay.from).min();
            let fed = reached
                .get(store.as_str())
                .unwrap_or(&none)
                .iter()
                .filter(|fed| problem.stores.iter().any(|store| store == *fed));
            let looked = |fed: &&str| {
                let audits = problem.audits.get(*fed).into_iter().flatten();
                audits.filter(|audit| **audit <= problem.now).any(|audit| Some(*audit) >= planted)
            };
            if let Some(own) = candidates.iter().position(|candidate| candidate.store == *store)
                && fed.into_iter().all(looked)
            {
                of[own].insert(number);
            }
        }
        OwnCanaries { of, ghosts: problem.ghosts, ghosts_seen: problem.ghosts_seen.min(problem.ghosts) }
    }

    /// The canaries of a candidate's own.
    pub fn own(&self, store: usize) -> &Bits {
        &self.of[store]
    }

    /// Whether there are ghosts to draw from.
    pub fn controls(&self) -> bool {
        self.ghosts > 0
    }

    /// ln of how likely so many of the store's own would be, were those seen drawn blindly; what is the accused stores' own
    /// is explained, and left out. None for a store without canaries of its own, or where there are no ghosts.
    pub fn ln_p(&self, store: usize, seen: &Bits, accused: &[usize]) -> Option<f64> {
        let planted = self.of[store].count();
        if planted == 0 || self.ghosts == 0 {
            return None;
        }
        let unexplained =
            || self.of.iter().enumerate().filter(|(other, _)| !accused.contains(other)).map(|(_, own)| own);
        let all = self.ghosts + unexplained().map(Bits::count).sum::<u64>();
        let drawn = self.ghosts_seen + unexplained().map(|own| own.count_shared(seen)).sum::<u64>();
        Some(ln_upper_tail(all, planted, drawn, self.of[store].count_shared(seen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_as_loud_as_the_ghosts_leave_it() {
        let loud =
            |ghosts, ghosts_seen, class| louder_chance(&Problem { ghosts, ghosts_seen, ..Problem::default() }, class);
        assert_eq!(loud(0, 0, Class::Dump), 1e-2, "nothing tells");
        assert!((loud(1_000_000, 0, Class::Login) - 3e-4).abs() < 1e-9);
        assert!((loud(1_000_000, 2, Class::Mail) - 1.5e-3).abs() < 1e-8);
        assert_eq!(loud(1_000_000, 1_000, Class::Dump), 1e-2);
        assert_eq!(loud(100_000_000, 0, Class::Dump), 1e-4, "never below the modelled rate");
        assert_eq!(loud(1_000_000, 0, Class::Document), 1e-2, "no ghost is a document");
        assert_eq!(loud(1_000_000, 0, Class::Preview), 1e-1, "nor a preview of one");
    }
}
