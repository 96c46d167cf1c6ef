//! Every story that could explain the sightings, and how well it does: nothing leaked, the register of canaries
//! itself leaked, one store did, or two did (the thief publishes what either held). Two stores whose common rows alone
//! are published are not among the stories: unique canaries cannot tell that.

use crate::{
    attribution::{
        bits::Bits,
        copies::Candidate,
        evidence::{ClassEvidence, Evidence},
        likelihood::{Counts, Likelihood},
        priors::Prior,
        problem::Problem,
        sums::ln_sum_exp,
    },
    domain::sighting::Class,
};
use std::sync::Arc;

/// Below this rate of sighting, a leak is not told from noise.
const LEAST_RATE: f64 = 1e-3;

/// Pairs are tried among so many stores, the best on their own; each at its best two epochs.
const PAIRED_STORES: usize = 40;
const PAIRED_EPOCHS: usize = 2;

/// Two sources are thought ten times less likely than one, before anything is seen.
const LN_PAIRS_PRIOR: f64 = -std::f64::consts::LN_10;

/// One class, with its likelihoods under each kind of story.
pub struct Watched {
    pub evidence: ClassEvidence,
    /// A single store, in the candidates' order.
    pub single: Vec<Arc<Likelihood>>,
    /// Two stores, or none.
    pub mixed: Arc<Likelihood>,
    /// The register.
    pub register: Likelihood,
    /// Ghosts that the class could show, and did.
    pub ghosts: u64,
    pub ghosts_seen: u64,
}

/// The classes as the problem has them, with the priors of the rates that fit.
pub fn watched(problem: &Problem, evidence: &Evidence<'_>, candidates: &[Candidate], phi: f64) -> Vec<Watched> {
    let build = |(number, group): (usize, &ClassEvidence)| {
        let canaries = group.showable.count();
        let open_prior = Prior::log_uniform(LEAST_RATE, canaries);
        let open = Arc::new(Likelihood::new(&open_prior, phi));
        let real_rows = problem.real_rows.as_ref().filter(|_| group.class == Class::Dump);
        let single = candidates
            .iter()
            .map(|candidate| {
                match real_rows.and_then(|rows| rows.held.get(&candidate.store).map(|held| (rows.leaked, *held))) {
                    Some((leaked, held)) => Arc::new(Likelihood::new(&Prior::real_rows(leaked, held), phi)),
                    None => open.clone(),
                }
            })
            .collect();
        let all = canaries + problem.ghosts;
        // A sample of the whole register may be far thinner than one of a store.
        let thin = LEAST_RATE.min(0.5 / all.max(1) as f64);
        Watched {
            evidence: group.clone(),
            single,
            mixed: open.clone(),
            register: Likelihood::new(&Prior::log_uniform(thin, all), phi),
            ghosts: problem.ghosts,
            // Which class showed a ghost is not told apart: it counts once.
            ghosts_seen: if number == 0 { problem.ghosts_seen.min(problem.ghosts) } else { 0 },
        }
    };
    evidence.classes.iter().enumerate().map(build).collect()
}

/// A story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hypothesis {
    NothingLeaked,
    RegisterLeaked,
    /// One store, by its number among the candidates.
    One(usize),
    /// Two stores.
    Both(usize, usize),
}

impl Hypothesis {
    /// Whether the store is a source in this story.
    pub fn has(self, store: usize) -> bool {
        match self {
            Hypothesis::One(one) => one == store,
            Hypothesis::Both(one, other) => one == store || other == store,
            Hypothesis::NothingLeaked | Hypothesis::RegisterLeaked => false,
        }
    }
}

/// How well each story explains what was seen.
#[derive(Clone, Debug)]
pub struct Scores {
    /// ln likelihood of each story; epochs are summed over.
    pub stories: Vec<(Hypothesis, f64)>,
    /// For each store: ln of prior times likelihood of each epoch.
    pub epochs: Vec<Vec<f64>>,
}

/// Scores every story.
pub fn score(candidates: &[Candidate], watched: &[Watched]) -> Scores {
    let nowhere = Bits::empty(0);
    let epochs: Vec<Vec<f64>> = candidates
        .iter()
        .enumerate()
        .map(|(store, candidate)| {
            let ln = |holds: &Bits| -> f64 { watched.iter().map(|c| c.ln(&c.single[store], holds)).sum() };
            candidate.copies.iter().map(|copy| copy.ln_prior + ln(&copy.holds)).collect()
        })
        .collect();
    let nothing = watched.iter().map(|c| c.ln(&c.mixed, &nowhere)).sum();
    let register = watched.iter().map(Watched::ln_register).sum();
    let mut stories = vec![(Hypothesis::NothingLeaked, nothing), (Hypothesis::RegisterLeaked, register)];
    // A store that never held a canary could have leaked unseen: then all that was seen is noise.
    let singles: Vec<f64> = epochs.iter().map(|lns| if lns.is_empty() { nothing } else { ln_sum_exp(lns) }).collect();
    stories.extend(singles.iter().enumerate().map(|(store, ln)| (Hypothesis::One(store), *ln)));
    stories.extend(pairs(candidates, watched, &epochs, &singles));
    Scores { stories, epochs }
}

fn pairs(
    candidates: &[Candidate],
    watched: &[Watched],
    epochs: &[Vec<f64>],
    singles: &[f64],
) -> Vec<(Hypothesis, f64)> {
    let mut best: Vec<usize> = (0..candidates.len()).filter(|store| !epochs[*store].is_empty()).collect();
    best.sort_by(|a, b| singles[*b].total_cmp(&singles[*a]).then(a.cmp(b)));
    best.truncate(PAIRED_STORES);
    best.sort_unstable();
    let best_epochs = |store: usize| {
        let mut numbers: Vec<usize> = (0..epochs[store].len()).collect();
        numbers.sort_by(|a, b| epochs[store][*b].total_cmp(&epochs[store][*a]).then(a.cmp(b)));
        numbers.truncate(PAIRED_EPOCHS);
        numbers
    };
    let chosen: Vec<Vec<usize>> = best.iter().map(|store| best_epochs(*store)).collect();
    let mut found = Vec::new();
    for (i, one) in best.iter().enumerate() {
        for (j, other) in best.iter().enumerate().skip(i + 1) {
            let lns: Vec<f64> = chosen[i]
                .iter()
                .flat_map(|a| chosen[j].iter().map(move |b| (*a, *b)))
                .map(|(a, b)| {
                    let (a, b) = (&candidates[*one].copies[a], &candidates[*other].copies[b]);
                    let holds = a.holds.union(&b.holds);
                    a.ln_prior + b.ln_prior + watched.iter().map(|c| c.ln(&c.mixed, &holds)).sum::<f64>()
                })
                .collect();
            found.push((Hypothesis::Both(*one, *other), ln_sum_exp(&lns)));
        }
    }
    found
}

impl Watched {
    fn ln(&self, likelihood: &Likelihood, holds: &Bits) -> f64 {
        let seen_in = self.evidence.seen.count_shared(holds);
        likelihood.ln(Counts {
            all: self.evidence.showable.count() + self.ghosts,
            in_copy: self.evidence.showable.count_shared(holds),
            seen_in,
            seen_out: self.evidence.seen.count() - seen_in + self.ghosts_seen,
        })
    }

    fn ln_register(&self) -> f64 {
        let all = self.evidence.showable.count() + self.ghosts;
        let seen_in = self.evidence.seen.count() + self.ghosts_seen;
        self.register.ln(Counts { all, in_copy: all, seen_in, seen_out: 0 })
    }
}

impl Scores {
    /// How many stores are candidates.
    fn stores(&self) -> usize {
        self.epochs.len()
    }

    /// ln likelihood of a story; none if it was not scored.
    pub fn ln(&self, hypothesis: Hypothesis) -> Option<f64> {
        self.stories.iter().find(|(story, _)| *story == hypothesis).map(|(_, ln)| *ln)
    }

    /// ln of the best story in which the store is a source. A pair pays for being one of many, and rare: this side
    /// of the comparison shall not gain by having more stories to tell.
    pub fn ln_with(&self, store: usize) -> f64 {
        let n = self.stores() as f64;
        let ln_pair_price = LN_PAIRS_PRIOR - ((n - 1.0) / 2.0).max(1.0).ln();
        self.stories
            .iter()
            .filter(|(story, _)| story.has(store))
            .map(|(story, ln)| if matches!(story, Hypothesis::Both(..)) { ln + ln_pair_price } else { *ln })
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// The best story in which the store is no source, pairs at their full likelihood.
    pub fn best_without(&self, store: usize) -> (Hypothesis, f64) {
        self.best_of(|story| !story.has(store))
    }

    /// The best story of those wanted; of equals, the first.
    pub fn best_of(&self, wanted: impl Fn(Hypothesis) -> bool) -> (Hypothesis, f64) {
        self.stories.iter().filter(|(story, _)| wanted(*story)).fold(
            (Hypothesis::NothingLeaked, f64::NEG_INFINITY),
            |best, (story, ln)| {
                if *ln > best.1 { (*story, *ln) } else { best }
            },
        )
    }

    /// The chance that the store is a source, when every single story is as likely as another and pairs together a
    /// tenth of them.
    pub fn posterior(&self, store: usize) -> f64 {
        let n = self.stores() as f64;
        let pairs = (n * (n - 1.0) / 2.0).max(1.0);
        let joint = |(story, ln): &(Hypothesis, f64)| match story {
            Hypothesis::Both(..) => ln + LN_PAIRS_PRIOR - pairs.ln(),
            _ => ln - (n + 2.0).ln(),
        };
        let all: Vec<f64> = self.stories.iter().map(joint).collect();
        let with: Vec<f64> = self.stories.iter().filter(|(story, _)| story.has(store)).map(joint).collect();
        (ln_sum_exp(&with) - ln_sum_exp(&all)).exp().min(1.0)
    }
}
