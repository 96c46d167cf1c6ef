//! Everything weighed once, and each store against the conditions.

use crate::{
    attribution::{
        bits::Bits,
        coalitions::Scorer,
        conditions::{Bound, Conditions, Standing},
        copies::Candidate,
        draws::Draws,
        evidence::{ClassEvidence, Evidence},
        ghosts::{OwnCanaries, louder_chance},
        hypotheses::{Coalition, Hypothesis, Scores, Watched, score, score_again, watched},
        likelihood::false_sighting,
        looks::{Look, looks},
        problem::Problem,
    },
    domain::{
        sighting::Class,
        verdict::{Route, StoreScore},
    },
};
use canaries::CanaryId;
use std::collections::BTreeMap;

/// So many sources are accused at most: more copies than that are thought of nowhere.
const MOST_ACCUSED: usize = 4;
/// One canary less moves a story by no more than this, in nats: from a rate of 0.999 to a chance sighting.
const ONE_CANARY: f64 = 16.5;
/// Of the combinations with the store, so many are weighed again for each canary left out.
const WEIGHED_AGAIN: usize = 200;

/// One store's figures.
pub struct Found {
    pub store: usize,
    pub score: StoreScore,
    pub conditions: Conditions,
    /// Its most probable copy, by number.
    pub best_copy: Option<usize>,
}

/// One body of evidence, weighed.
struct Side<'a> {
    candidates: &'a [Candidate],
    evidence: &'a Evidence<'a>,
    watched: Vec<Watched>,
    scores: Scores,
    louder: Scores,
}

/// The problem, weighed.
pub struct Weighed<'a> {
    candidates: &'a [Candidate],
    evidence: &'a Evidence<'a>,
    /// Those that a store's own work may have shown.
    benign: Bits,
    all: Side<'a>,
    /// Without mere previews of documents, where there are any: an accusation has to stand on this, too.
    firm: Option<Side<'a>>,
    /// How much each store holds: its real rows where they are known, else its canaries.
    sizes: Vec<u64>,
    own: OwnCanaries,
    draws: Draws,
    looks: Vec<Look>,
}

impl<'a> Weighed<'a> {
    /// Weighs it; `firm` is its evidence without mere previews of documents, where there are any.
    pub fn of(
        problem: &Problem,
        candidates: &'a [Candidate],
        evidence: &'a Evidence<'a>,
        firm: Option<&'a Evidence<'a>>,
    ) -> Self {
        let looks = looks(problem, evidence, candidates.len());
        let draws = Draws::of(problem, candidates, evidence);
        // A store that the lock points at is tried in combinations, however badly it does alone.
        let kept: Vec<usize> = looks.last().map_or_else(Vec::new, |look| {
            let lock = draws.lock(&look.seen, &[]);
            let over = |store: &usize| draws.ln_value(&lock, *store).is_some_and(|value| value >= -look.ln_allowed);
            (0..candidates.len()).filter(over).collect()
        });
        let held = |candidate: &Candidate| candidate.copies.iter().map(|copy| copy.holds.count()).max().unwrap_or(0);
        let rows = problem.real_rows.as_ref().map(|rows| &rows.held);
        let known = rows.filter(|rows| candidates.iter().all(|candidate| rows.contains_key(&candidate.store)));
        let mut benign = Bits::empty(evidence.canaries.len());
        let place = |id: &CanaryId| evidence.canaries.binary_search_by_key(id, |facts| facts.id).ok();
        problem.benign.iter().filter_map(place).for_each(|number| benign.insert(number));
        Weighed {
            benign,
            all: Side::of(problem, candidates, evidence, &kept),
            firm: firm.map(|firm| Side::of(problem, candidates, firm, &kept)),
            sizes: candidates
                .iter()
                .map(|candidate| known.map_or_else(|| held(candidate), |rows| rows[&candidate.store]))
                .collect(),
            own: OwnCanaries::of(problem, candidates, evidence),
            candidates,
            evidence,
            draws,
            looks,
        }
    }

    /// How well each story explains all that was seen.
    pub fn scores(&self) -> &Scores {
        &self.all.scores
    }

    /// Every store, with those accused that meet all conditions.
    pub fn judge(&self) -> Vec<Found> {
        let mut found: Vec<Found> = (0..self.candidates.len()).map(|store| self.found(store)).collect();
        let mut accused: Vec<usize> = Vec::new();
        loop {
            for found in found.iter_mut().filter(|found| !found.score.accused) {
                found.conditions.bound = self.bound(found.store, &accused);
            }
            let best = found
                .iter_mut()
                .filter(|found| !found.score.accused && found.conditions.met())
                .max_by(|a, b| {
                    let lr = |found: &Found| found.conditions.standing.log10_lr;
                    lr(a).total_cmp(&lr(b)).then(b.score.store.cmp(&a.score.store))
                })
                .filter(|_| accused.len() < MOST_ACCUSED);
            let Some(next) = best else { break };
            next.score.accused = true;
            accused.push(next.store);
        }
        for Found { score, conditions, .. } in &mut found {
            let log10 = |ln: f64| ln / std::f64::consts::LN_10;
            score.ghost_p = conditions.bound.ln_p.map(f64::exp);
            score.e_value_log10 = conditions.bound.ln_value.map(log10);
            score.route = conditions.bound.route.filter(|_| score.accused);
        }
        found
    }

    fn found(&self, store: usize) -> Found {
        let candidate = &self.candidates[store];
        let size = self.evidence.canaries.len();
        let held = candidate.copies.iter().fold(Bits::empty(size), |all, copy| all.union(&copy.holds));
        let seen = self.evidence.seen.shared(&held).without(&self.evidence.values);
        let firm = self.evidence.firm.shared(&seen);
        let lns = &self.all.scores.epochs[store];
        let sizes = &self.sizes;
        let standing = Standing::of(&self.all.scores, store, sizes);
        // What previews add may lower an accusation, and never carries it.
        let unaided = self.firm.as_ref().map(|firm| Standing::of(&firm.scores, store, sizes));
        let holds = standing.holds() && unaided.as_ref().is_none_or(Standing::holds);
        let sides = || [Some(&self.all), self.firm.as_ref()].into_iter().flatten();
        let worst =
            |of: &dyn Fn(&Side<'_>) -> Standing| holds.then(|| sides().map(of).reduce(Standing::or_worse)).flatten();
        let louder = worst(&|side| Standing::of(&side.louder, store, sizes));
        let without_one = worst(&|side| side.without_one(store, sizes));
        Found {
            store,
            score: StoreScore {
                store: candidate.store.clone(),
                accused: false,
                log10_lr: Some(standing.log10_lr),
                posterior: Some(standing.posterior),
                e_value_log10: None,
                ghost_p: None,
                route: None,
                sightings: seen.numbers().map(|number| self.evidence.sightings[number]).sum(),
                distinct_canaries: self.evidence.distinct(&seen),
            },
            best_copy: (0..lns.len()).max_by(|a, b| lns[*a].total_cmp(&lns[*b]).then(b.cmp(a))),
            conditions: Conditions {
                bound: Bound::default(),
                distinct_canaries: self.evidence.distinct(&firm),
                previewed: self.evidence.distinct(&seen.without(&firm)),
                seen_otherwise: self.evidence.distinct(&firm.without(&self.benign)),
                standing,
                unaided,
                without_one,
                louder,
                controls: self.own.controls(),
                owns: self.own.own(store).count() > 0,
            },
        }
    }

    /// The store's bound: at the first look at which it is kept, else as the last look has it.
    fn bound(&self, store: usize, accused: &[usize]) -> Bound {
        let mut bound = Bound::default();
        for look in &self.looks {
            bound = Bound {
                ln_p: self.own.ln_p(store, &look.seen, accused),
                ln_value: self.draws.ln_value(&self.draws.lock(&look.seen, accused), store),
                route: None,
                ln_allowed: look.ln_allowed,
            };
            bound.route = match (bound.ln_value, bound.ln_p) {
                (Some(value), _) if value >= -look.ln_allowed => Some(Route::EValue),
                (_, Some(p)) if p <= look.ln_allowed => Some(Route::Ghosts),
                _ => continue,
            };
            break;
        }
        bound
    }
}

impl<'a> Side<'a> {
    fn of(problem: &Problem, candidates: &'a [Candidate], evidence: &'a Evidence<'a>, kept: &[usize]) -> Self {
        let watched_at = |phi: &dyn Fn(Class) -> f64| watched(problem, evidence, candidates, phi);
        let watched = watched_at(&false_sighting);
        Side {
            scores: score(candidates, &watched, kept),
            louder: score(candidates, &watched_at(&|class| louder_chance(problem, class)), kept),
            candidates,
            evidence,
            watched,
        }
    }

    /// The worst standing of the store with any one canary unseen.
    fn without_one(&self, store: usize, sizes: &[u64]) -> Standing {
        let combinations = self.rivals_of(store);
        let by = Scorer::new(self.candidates, &self.watched, &self.scores.epochs);
        // What is seen of one person is left out together: it may have come about together.
        let mut alike: BTreeMap<Vec<Vec<u64>>, &[usize]> = BTreeMap::new();
        for numbers in self.evidence.together() {
            let signatures = numbers.iter().map(|number| self.signature(*number)).collect();
            alike.entry(signatures).or_insert(numbers);
        }
        let weigh = |numbers: &[usize]| {
            let again: Vec<Watched> = self.watched.iter().zip(self.evidence.without(numbers)).map(with).collect();
            Standing::of(&score_again(&again, &by, &combinations), store, sizes)
        };
        alike.into_values().map(weigh).fold(Standing::of(&self.scores, store, sizes), Standing::or_worse)
    }

    /// The combinations that matter when one canary is left out: the best in which the store is a source, and every rival
    /// that could become the best.
    fn rivals_of(&self, store: usize) -> Vec<Coalition> {
        let (_, best) = self.scores.best_without(store);
        let mut sides: [Vec<(f64, Coalition)>; 2] = Default::default();
        let least = [best - ONE_CANARY, self.scores.ln_with(store) - ONE_CANARY];
        for (story, ln) in &self.scores.stories {
            let Hypothesis::Copies(coalition) = *story else { continue };
            let with = usize::from(story.has(store));
            let ln = ln + if with == 1 { self.scores.ln_price(*story) } else { 0.0 };
            if ln >= least[with] {
                sides[with].push((ln, coalition));
            }
        }
        for side in &mut sides {
            side.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        }
        // Of rivals none is left out: one that seems poor may be the best without that canary.
        sides[1].truncate(WEIGHED_AGAIN);
        sides.into_iter().flatten().map(|(_, coalition)| coalition).collect()
    }

    /// Which copies hold the canary, and which class showed it: two canaries of one signature are one to every story.
    fn signature(&self, number: usize) -> Vec<u64> {
        let copies =
            self.candidates.iter().flat_map(|candidate| &candidate.copies).map(|copy| copy.holds.contains(number));
        let classes = self.watched.iter().map(|class| class.evidence.seen.contains(number));
        let flags: Vec<bool> = copies.chain(classes).collect();
        flags
            .chunks(64)
            .map(|chunk| chunk.iter().enumerate().map(|(place, flag)| u64::from(*flag) << place).sum())
            .collect()
    }
}

fn with((class, evidence): (&Watched, ClassEvidence)) -> Watched {
    Watched { evidence, ..class.clone() }
}
