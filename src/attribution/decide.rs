//! The verdict: who is accused, and if nobody, why not. The conditions that an accusation has to meet stand in
//! `failed_conditions`, and nowhere else.

use crate::{
    attribution::{
        bits::Bits,
        copies::{Candidate, candidates, reached},
        evidence::Evidence,
        ghosts::OwnCanaries,
        hypotheses::{Hypothesis, Scores, score, watched},
        likelihood::FALSE_SIGHTING,
        problem::Problem,
        windows::window,
    },
    domain::verdict::{Claim, Outcome, RunnerUp, StoreScore, Verdict},
};
use std::collections::BTreeSet;

/// Condition (ii): log10 of the likelihood over that of the best rival.
pub const LEAST_LOG10_LR: f64 = 4.0;

/// Condition (iv): distinct canaries seen that the store held.
pub const LEAST_CANARIES: u64 = 2;

/// So far below the best story, a store is ruled out as the source.
const EXCLUDED_LOG10: f64 = -4.0;

/// Judges the problem.
pub fn attribute(problem: &Problem) -> Verdict {
    let evidence = Evidence::of(problem);
    let candidates = candidates(problem, &evidence);
    if evidence.seen.count() == 0 && problem.ghosts_seen == 0 {
        return nothing_found(problem, &candidates, &evidence);
    }
    let scores = score(&candidates, &watched(problem, &evidence, &candidates, FALSE_SIGHTING));
    let own = OwnCanaries::of(problem, &candidates, &evidence);
    let name = |hypothesis| named(hypothesis, &candidates);
    let mut found: Vec<Found> =
        (0..candidates.len()).map(|store| Found::of(store, &candidates[store], &scores, &evidence, &own)).collect();
    for found in &mut found {
        found.score.accused = failed_conditions(found, &[], &name(found.rival)).is_empty();
    }
    found.sort_by(|a, b| {
        (b.score.accused.cmp(&a.score.accused))
            .then(b.log10_lr.total_cmp(&a.log10_lr))
            .then(a.score.store.cmp(&b.score.store))
    });
    let mut verdict = Verdict {
        verdict: Outcome::Inconclusive,
        stores: found.iter().map(|found| found.score.clone()).collect(),
        material: problem.material.clone(),
        ..Verdict::default()
    };
    if let Some(first) = found.first() {
        verdict.runner_up = Some(RunnerUp { hypothesis: name(first.rival), log10_lr: 0.0 - first.log10_lr });
        verdict.indistinguishable = indistinguishable(first, &candidates, &evidence);
        verdict.why_not = failed_conditions(first, &verdict.indistinguishable, &name(first.rival));
        if first.score.accused {
            let generations = generations(&first.score.store, &evidence);
            verdict.verdict = Outcome::Attributed;
            verdict.window = window(&candidates[first.store], &scores.epochs[first.store], &evidence);
            verdict.claim = Some(Claim { generations, ..Claim::default() });
        }
    }
    if verdict.verdict == Outcome::Inconclusive {
        if let Some(first) = found.first() {
            verdict.why_not.extend(unlooked(problem, &candidates, &evidence, first));
        }
        verdict.why_not.extend(oddities(problem, &evidence));
    }
    let (_, best) = scores.best_of(|_| true);
    verdict.excluded = found
        .iter()
        .filter(|found| !found.score.accused && !verdict.indistinguishable.contains(&found.score.store))
        .filter(|found| log10(scores.ln(Hypothesis::One(found.store)).unwrap_or(best) - best) <= EXCLUDED_LOG10)
        .map(|found| found.score.store.clone())
        .collect();
    verdict
}

/// Each condition of the decision rule that the store fails, in words, with its figure. Empty: it is accused.
/// What the ghosts, the posterior and the evidence less one canary say is told, and decides nothing yet.
fn failed_conditions(found: &Found, equals: &[String], rival: &str) -> Vec<String> {
    let store = &found.score.store;
    let mut failed = Vec::new();
    if found.log10_lr < LEAST_LOG10_LR {
        failed.push(match (equals, found.log10_lr) {
            ([], lr) if lr > 0.0 => format!(
                "the findings are only 10^{lr:.1} times more probable if {store} leaked than under {}; 10^{LEAST_LOG10_LR:.0} is asked",
                in_words(rival)
            ),
            ([], _) => format!("the findings are no more probable if {store} leaked than under {}", in_words(rival)),
            (equals, _) => format!(
                "nothing seen tells {store} from {}: they held the same canaries",
                equals.join(", ")
            ),
        });
    }
    if found.score.distinct_canaries < LEAST_CANARIES {
        failed.push(format!(
            "{} distinct canary of {store} was seen; {LEAST_CANARIES} are asked",
            if found.score.distinct_canaries == 0 { "no" } else { "only one" }
        ));
    }
    failed
}

/// What an audit might tell: whether the canaries seen ever came to the rival by a feed.
fn unlooked(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>, first: &Found) -> Option<String> {
    let Hypothesis::One(rival) = first.rival else { return None };
    let (store, rival) = (&candidates[first.store].store, &candidates[rival].store);
    let planted = evidence
        .canaries
        .iter()
        .enumerate()
        .filter(|(number, facts)| evidence.seen.contains(*number) && facts.home == *store)
        .filter(|(_, facts)| facts.stays.iter().all(|stay| stay.store != *rival))
        .flat_map(|(_, facts)| facts.stays.iter().filter(|stay| stay.store == *store).map(|stay| stay.from))
        .max()?;
    let fed = reached(problem).get(store.as_str()).is_some_and(|fed| fed.contains(rival.as_str()));
    let looked = problem.audits.get(rival).and_then(|audits| audits.last());
    (first.log10_lr < LEAST_LOG10_LR && fed && looked.is_none_or(|looked| *looked < planted)).then(|| {
        format!(
            "{rival} is fed by {store}, and was not looked at since these canaries were planted: `telltale verify {rival}` may tell the two apart"
        )
    })
}

/// What else an investigator should know when nobody is accused.
fn oddities(problem: &Problem, evidence: &Evidence<'_>) -> Vec<String> {
    let mut told = Vec::new();
    if problem.ghosts_seen > 0 {
        told.push(format!(
            "{} of {} ghosts, which were never planted, were seen: the register of canaries may have leaked",
            problem.ghosts_seen, problem.ghosts
        ));
    }
    if !evidence.unknown.is_empty() {
        told.push(format!("{} of the canaries seen are in no register", evidence.unknown.len()));
    }
    if !evidence.before_planting.is_empty() {
        told.push(format!(
            "{} of the canaries were seen before they were planted, by the reporter's clock: those times were set aside",
            evidence.before_planting.len()
        ));
    }
    told
}

/// A rival's name as part of a sentence.
pub fn in_words(hypothesis: &str) -> String {
    match hypothesis {
        "nothing_leaked" => "chance sightings, nothing having leaked".to_owned(),
        "registry_leaked" => "a leak of the register of canaries itself".to_owned(),
        store => format!("a leak of {store}"),
    }
}

fn named(hypothesis: Hypothesis, candidates: &[Candidate]) -> String {
    match hypothesis {
        Hypothesis::NothingLeaked => "nothing_leaked".to_owned(),
        Hypothesis::RegisterLeaked => "registry_leaked".to_owned(),
        Hypothesis::One(store) => candidates[store].store.clone(),
        Hypothesis::Both(one, other) => format!("{} and {}", candidates[one].store, candidates[other].store),
    }
}

fn log10(ln: f64) -> f64 {
    ln / std::f64::consts::LN_10
}

/// One store's figures.
struct Found {
    store: usize,
    score: StoreScore,
    log10_lr: f64,
    rival: Hypothesis,
    /// Its most probable copy, by number.
    best_copy: Option<usize>,
}

impl Found {
    fn of(store: usize, candidate: &Candidate, scores: &Scores, evidence: &Evidence<'_>, own: &OwnCanaries) -> Self {
        let (rival, ln_rival) = scores.best_without(store);
        let log10_lr = log10(scores.ln_with(store) - ln_rival);
        let held =
            candidate.copies.iter().fold(Bits::empty(evidence.canaries.len()), |all, copy| all.union(&copy.holds));
        let seen = evidence.seen.shared(&held);
        let sightings = (0..evidence.canaries.len()).filter(|n| seen.contains(*n)).map(|n| evidence.sightings[n]).sum();
        let lns = &scores.epochs[store];
        let best_copy = (0..lns.len()).max_by(|a, b| lns[*a].total_cmp(&lns[*b]).then(b.cmp(a)));
        let score = StoreScore {
            store: candidate.store.clone(),
            accused: false,
            log10_lr: Some(log10_lr),
            posterior: Some(scores.posterior(store)),
            e_value_log10: None,
            ghost_p: own.ghost_p(&candidate.store),
            sightings,
            distinct_canaries: seen.count(),
        };
        Found { store, score, log10_lr, rival, best_copy }
    }
}

/// Stores that held, in some epoch, just what the first held in its best one, as far as it could have been seen.
fn indistinguishable(first: &Found, candidates: &[Candidate], evidence: &Evidence<'_>) -> Vec<String> {
    let Some(best_copy) = first.best_copy else { return Vec::new() };
    let showable = evidence.showable();
    let holds = candidates[first.store].copies[best_copy].holds.shared(&showable);
    candidates
        .iter()
        .enumerate()
        .filter(|(store, _)| *store != first.store)
        .filter(|(_, candidate)| candidate.copies.iter().any(|copy| copy.holds.shared(&showable) == holds))
        .map(|(_, candidate)| candidate.store.clone())
        .collect()
}

/// Generations of the store whose canaries were seen.
fn generations(store: &str, evidence: &Evidence<'_>) -> Vec<u32> {
    let seen: BTreeSet<u32> = evidence
        .canaries
        .iter()
        .enumerate()
        .filter(|(number, facts)| evidence.seen.contains(*number) && facts.home == store)
        .map(|(_, facts)| facts.generation)
        .collect();
    seen.into_iter().collect()
}

fn nothing_found(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>) -> Verdict {
    let unscored = |candidate: &Candidate| StoreScore {
        store: candidate.store.clone(),
        accused: false,
        log10_lr: None,
        posterior: None,
        e_value_log10: None,
        ghost_p: None,
        sightings: 0,
        distinct_canaries: 0,
    };
    Verdict {
        verdict: Outcome::NothingFound,
        stores: candidates.iter().map(unscored).collect(),
        material: problem.material.clone(),
        why_not: oddities(problem, evidence),
        ..Verdict::default()
    }
}
