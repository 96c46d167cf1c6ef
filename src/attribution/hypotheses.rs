//! Every story that could explain the sightings, and how well it does: nothing leaked, the register of canaries itself
//! leaked, one store did, or up to four did and a thief combined the copies. Two more have the likelihood of a store's own
//! copy, whatever is seen, and are named in the report instead of weighed: a benign process that passed the copy on, and
//! an unlisted copy that descends from it. Logs tell these apart, and canaries cannot.

use crate::{
    attribution::{
        bits::Bits,
        coalitions::Scorer,
        copies::{Candidate, StoreCopy},
        evidence::{ClassEvidence, Evidence},
        likelihood::{Counts, Level, Likelihood},
        priors::Prior,
        problem::Problem,
        rules::{MOST_COPIES, Rule},
        sums::ln_sum_exp_sorted,
    },
    domain::sighting::Class,
};
use std::sync::Arc;

/// Below this rate of sighting, a leak is not told from noise.
const LEAST_RATE: f64 = 1e-3;

/// One class, with its likelihoods under each kind of story.
#[derive(Clone)]
pub struct Watched {
    pub evidence: ClassEvidence,
    /// A single store, in the candidates' order.
    pub single: Vec<Arc<Likelihood>>,
    /// Several stores, or none.
    pub mixed: Arc<Likelihood>,
    /// The register.
    pub register: Arc<Likelihood>,
    /// Ghosts that the class could show, and did.
    pub ghosts: u64,
    pub ghosts_seen: u64,
}

/// The classes as the problem has them, with the priors of the rates that fit, and a rate of false sightings for each.
pub fn watched(
    problem: &Problem,
    evidence: &Evidence<'_>,
    candidates: &[Candidate],
    phi: impl Fn(Class) -> f64,
) -> Vec<Watched> {
    let build = |(number, group): (usize, &ClassEvidence)| {
        let phi = phi(group.class);
        // A grid is as fine as the largest copy asks for.
        let mut sizes: Vec<u64> = candidates
            .iter()
            .map(|candidate| {
                candidate.copies.iter().map(|copy| group.showable.count_shared(&copy.holds)).max().unwrap_or(0)
            })
            .collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let open_prior = |canaries| Prior::log_uniform(LEAST_RATE, canaries);
        let open = Arc::new(Likelihood::new(&open_prior(sizes.first().copied().unwrap_or(0)), phi));
        let together = sizes.iter().take(MOST_COPIES).sum();
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
        let all = group.showable.count() + problem.ghosts;
        // A sample of the whole register may be far thinner than one of a store.
        let thin = LEAST_RATE.min(0.5 / all.max(1) as f64);
        Watched {
            evidence: group.clone(),
            single,
            mixed: Arc::new(Likelihood::combined(&open_prior(together), phi)),
            register: Arc::new(Likelihood::new(&Prior::log_uniform(thin, all), phi)),
            ghosts: problem.ghosts,
            // Which class showed a ghost is not told apart: it counts once.
            ghosts_seen: if number == 0 { problem.ghosts_seen.min(problem.ghosts) } else { 0 },
        }
    };
    evidence.classes.iter().enumerate().map(build).collect()
}

/// Copies of one to four stores, combined by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coalition {
    stores: [u16; MOST_COPIES],
    size: usize,
    rule: Rule,
}

impl Coalition {
    /// Of these stores, by their numbers among the candidates, least first; four at most.
    pub fn new(stores: &[u16], rule: Rule) -> Self {
        let mut all = [0; MOST_COPIES];
        let size = stores.len().min(MOST_COPIES);
        all[..size].copy_from_slice(&stores[..size]);
        Coalition { stores: all, size, rule }
    }

    /// Its stores.
    pub fn stores(&self) -> &[u16] {
        &self.stores[..self.size]
    }

    /// How the thief combined their copies.
    pub fn rule(&self) -> Rule {
        self.rule
    }
}

/// A story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hypothesis {
    NothingLeaked,
    RegisterLeaked,
    /// One store, by its number among the candidates.
    One(usize),
    /// Several stores.
    Copies(Coalition),
}

impl Hypothesis {
    /// Whether the store is a source in this story.
    pub fn has(self, store: usize) -> bool {
        match self {
            Hypothesis::One(one) => one == store,
            Hypothesis::Copies(coalition) => coalition.stores().contains(&(store as u16)),
            Hypothesis::NothingLeaked | Hypothesis::RegisterLeaked => false,
        }
    }

    /// The sources in this story.
    pub fn sources(self) -> Vec<usize> {
        match self {
            Hypothesis::One(one) => vec![one],
            Hypothesis::Copies(coalition) => coalition.stores().iter().map(|store| usize::from(*store)).collect(),
            Hypothesis::NothingLeaked | Hypothesis::RegisterLeaked => Vec::new(),
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

/// Scores every story that is tried. Stores that are `kept` are tried in combinations, however badly they do alone.
pub fn score(candidates: &[Candidate], watched: &[Watched], kept: &[usize]) -> Scores {
    let mut scores = score_singles(candidates, watched);
    let is_single = |(story, ln): &(Hypothesis, f64)| matches!(story, Hypothesis::One(_)).then_some(*ln);
    let singles: Vec<f64> = scores.stories.iter().filter_map(is_single).collect();
    scores.stories.extend(Scorer::new(candidates, watched, &scores.epochs).search(&singles, kept));
    scores
}

/// Scores the stories of one copy, or none.
pub fn score_singles(candidates: &[Candidate], watched: &[Watched]) -> Scores {
    let epochs = epochs(candidates, watched);
    Scores { stories: alone(watched, &epochs), epochs }
}

/// Scores the single stories and, of the combinations, these only: with the copies that `by` chose.
pub fn score_again(watched: &[Watched], by: &Scorer<'_>, combinations: &[Coalition]) -> Scores {
    let again = by.seeing(watched);
    let epochs = again.epochs();
    let mut stories = alone(watched, &epochs);
    stories.extend(combinations.iter().map(|coalition| (Hypothesis::Copies(*coalition), again.ln(*coalition))));
    Scores { stories, epochs }
}

fn epochs(candidates: &[Candidate], watched: &[Watched]) -> Vec<Vec<f64>> {
    let of = |(store, candidate): (usize, &Candidate)| {
        candidate.copies.iter().map(|copy| ln_copy(watched, store, copy)).collect()
    };
    candidates.iter().enumerate().map(of).collect()
}

/// ln of prior times likelihood of one store's copy.
pub fn ln_copy(watched: &[Watched], store: usize, copy: &StoreCopy) -> f64 {
    copy.ln_prior + watched.iter().map(|class| class.ln(&class.single[store], &copy.holds)).sum::<f64>()
}

fn alone(watched: &[Watched], epochs: &[Vec<f64>]) -> Vec<(Hypothesis, f64)> {
    let nothing = watched.iter().map(|class| class.ln_combined(&[])).sum();
    let register = watched.iter().map(Watched::ln_register).sum();
    let mut stories = vec![(Hypothesis::NothingLeaked, nothing), (Hypothesis::RegisterLeaked, register)];
    // A store that never held a canary could have leaked unseen: then all that was seen is noise.
    let single = |lns: &Vec<f64>| if lns.is_empty() { nothing } else { ln_sum_exp_sorted(lns.clone()) };
    stories.extend(epochs.iter().enumerate().map(|(store, lns)| (Hypothesis::One(store), single(lns))));
    stories
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

    /// ln likelihood of copies that hold these levels.
    pub fn ln_combined(&self, levels: &[Level]) -> f64 {
        let all = self.evidence.showable.count() + self.ghosts;
        self.mixed.ln_levels(levels, all, self.evidence.seen.count() + self.ghosts_seen)
    }

    fn ln_register(&self) -> f64 {
        let all = self.evidence.showable.count() + self.ghosts;
        let seen_in = self.evidence.seen.count() + self.ghosts_seen;
        self.register.ln(Counts { all, in_copy: all, seen_in, seen_out: 0 })
    }
}

/// What is thought of the stores before anything is seen.
#[derive(Clone, Copy, Debug)]
pub enum Belief<'a> {
    /// Every store is as likely as another.
    Even,
    /// By how much each holds.
    BySize(&'a [u64]),
    /// Ten to one against the store in question.
    Against,
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

    /// What a story costs for being one of many, and rare, against a single store: each source more makes it ten times
    /// less likely, and all sets and rules of a size share that.
    pub fn ln_price(&self, story: Hypothesis) -> f64 {
        let Hypothesis::Copies(coalition) = story else { return 0.0 };
        let (n, size) = (self.stores() as f64, coalition.stores().len());
        let sets = (0..size).fold(1.0, |product, taken| product * (n - taken as f64) / (taken as f64 + 1.0));
        let each = sets.max(1.0) * Rule::of_size(size).len() as f64;
        n.ln() - each.ln() - (size as f64 - 1.0) * std::f64::consts::LN_10
    }

    /// ln of the best story in which the store is a source. Combinations pay their price: this side of the comparison
    /// shall not gain by having more stories to tell.
    pub fn ln_with(&self, store: usize) -> f64 {
        let with = self.stories.iter().filter(|(story, _)| story.has(store));
        with.map(|(story, ln)| ln + self.ln_price(*story).min(0.0)).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The best story in which the store is no source, combinations at their full likelihood.
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

    /// The chance that the store is a source: of all that the stories with it and without it weigh.
    pub fn posterior(&self, store: usize, belief: Belief<'_>) -> f64 {
        let mean = |sizes: &[u64]| sizes.iter().sum::<u64>() as f64 / sizes.len().max(1) as f64;
        let ln_belief = |story: Hypothesis| match belief {
            Belief::Even => 0.0,
            Belief::BySize(sizes) => story
                .sources()
                .into_iter()
                .map(|source| ((sizes[source] as f64).max(0.5) / mean(sizes).max(0.5)).ln())
                .sum::<f64>(),
            Belief::Against if story.has(store) => -std::f64::consts::LN_10,
            Belief::Against => 0.0,
        };
        let weigh = |wanted: bool| {
            let chosen = self.stories.iter().filter(|(story, _)| story.has(store) == wanted);
            ln_sum_exp_sorted(chosen.map(|(story, ln)| ln + self.ln_price(*story) + ln_belief(*story)).collect())
        };
        let (with, without) = (weigh(true), weigh(false));
        // Written so that what is close to one keeps its digits.
        1.0 / (1.0 + (without - with).exp())
    }
}
