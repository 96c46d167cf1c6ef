//! The verdict: who is accused, and if nobody, why not. Sources are accused one after the other, each only if every
//! condition is met; what an accused store explains is then left out of the others' bound.

use crate::{
    attribution::{
        conditions::{LEAST_CANARIES, LEAST_LOG10_LR},
        copies::{Candidate, candidates, reached},
        evidence::Evidence,
        naming::named,
        problem::Problem,
        weighed::{Found, Weighed},
        windows::window,
    },
    domain::verdict::{BenignUse, Claim, Outcome, RunnerUp, StoreScore, Verdict},
};
use std::collections::BTreeSet;

/// So far below the best story is every one in which a store is a source that is ruled out.
const EXCLUDED_LOG10: f64 = -4.0;

/// Judges the problem.
pub fn attribute(problem: &Problem) -> Verdict {
    let evidence = Evidence::of(problem);
    let candidates = candidates(problem, &evidence);
    if evidence.seen.count() == 0 && problem.ghosts_seen == 0 {
        return nothing_found(problem, &candidates, &evidence);
    }
    let firm = Evidence::without_previews(problem);
    let weighed = Weighed::of(problem, &candidates, &evidence, firm.as_ref());
    let name = |hypothesis| named(hypothesis, &candidates);
    let mut found = weighed.judge();
    found.sort_by(|a, b| {
        (b.score.accused.cmp(&a.score.accused))
            .then(b.conditions.standing.log10_lr.total_cmp(&a.conditions.standing.log10_lr))
            .then(a.score.store.cmp(&b.score.store))
    });
    let mut verdict = Verdict {
        verdict: Outcome::Inconclusive,
        stores: found.iter().map(|found| found.score.clone()).collect(),
        material: problem.material.clone(),
        ..Verdict::default()
    };
    if let Some(first) = found.first() {
        let standing = &first.conditions.standing;
        verdict.runner_up = Some(RunnerUp { hypothesis: name(standing.rival), log10_lr: 0.0 - standing.log10_lr });
        let (canaries, of) =
            (first.conditions.distinct_canaries - first.conditions.seen_otherwise, first.conditions.distinct_canaries);
        verdict.benign_use = (canaries > 0).then(|| BenignUse {
            store: first.score.store.clone(),
            canaries,
            of,
            ruled_out: first.conditions.seen_otherwise >= LEAST_CANARIES,
        });
        verdict.indistinguishable = indistinguishable(first, &candidates, &evidence);
        if first.score.accused {
            let generations = generations(&first.score.store, &evidence);
            verdict.verdict = Outcome::Attributed;
            verdict.window = window(&candidates[first.store], &weighed.scores().epochs[first.store], &evidence);
            verdict.claim = Some(Claim { generations, ..Claim::default() });
        } else {
            verdict.why_not = first.conditions.failed(&first.score.store, &verdict.indistinguishable, &name);
            verdict.why_not.extend(unlooked(problem, &candidates, &evidence, first));
            verdict.why_not.extend(oddities(problem, &evidence));
        }
    }
    let (_, best) = weighed.scores().best_of(|_| true);
    verdict.excluded = found
        .iter()
        .filter(|found| !found.score.accused && !verdict.indistinguishable.contains(&found.score.store))
        .filter(|found| (weighed.scores().ln_with(found.store) - best) / std::f64::consts::LN_10 <= EXCLUDED_LOG10)
        .map(|found| found.score.store.clone())
        .collect();
    verdict
}

/// What an audit might tell: whether the canaries seen ever came to the rivals by a feed.
fn unlooked(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>, first: &Found) -> Option<String> {
    if first.conditions.standing.log10_lr >= LEAST_LOG10_LR {
        return None;
    }
    let store = &candidates[first.store].store;
    let reached = reached(problem);
    let seen_since = |rival: &str| {
        let own = evidence.canaries.iter().enumerate().filter(|(number, facts)| {
            evidence.seen.contains(*number)
                && facts.home == *store
                && facts.stays.iter().all(|stay| stay.store != rival)
        });
        // An audit answers for a canary if it came after both its planting and its first sighting.
        let planted = own.flat_map(|(_, facts)| facts.stays.iter().filter(|stay| stay.store == *store));
        planted.map(|stay| stay.from).max()
    };
    let rivals: Vec<&str> = first
        .conditions
        .standing
        .rival
        .sources()
        .into_iter()
        .map(|rival| candidates[rival].store.as_str())
        .filter(|rival| reached.get(store.as_str()).is_some_and(|fed| fed.contains(rival)))
        .filter(|rival| {
            let looked = problem.audits.get(*rival).and_then(|audits| audits.last());
            let first_seen = evidence.seen.numbers().filter_map(|number| evidence.first_seen[number]).min();
            seen_since(rival).is_some_and(|planted| {
                looked.is_none_or(|looked| *looked < planted || first_seen.is_some_and(|seen| *looked < seen))
            })
        })
        .collect();
    (!rivals.is_empty()).then(|| {
        format!(
            "{} fed by {store}, and not looked at since these canaries were planted and seen: `telltale verify {}` may tell \
             them apart",
            match rivals.as_slice() {
                [rival] => format!("{rival} is"),
                rivals => format!("{} are", rivals.join(" and ")),
            },
            rivals.join(" ")
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
        .filter(|(number, facts)| evidence.seen.contains(*number) && facts.homes().contains(store))
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
        route: None,
        sightings: 0,
        distinct_canaries: 0,
    };
    let mut why_not = oddities(problem, evidence);
    let left = problem.material.as_ref().map_or(0, |material| material.not_scanned.len());
    if left > 0 {
        why_not.push(format!("not fully scanned: {left} parts of the material were not read, or not in full"));
    }
    Verdict {
        verdict: Outcome::NothingFound,
        stores: candidates.iter().map(unscored).collect(),
        material: problem.material.clone(),
        why_not,
        ..Verdict::default()
    }
}
