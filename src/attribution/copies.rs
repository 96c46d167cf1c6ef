//! The copies that may have been taken: each store at each of its epochs, with the canaries it then held.
//! A store's epochs lie between the moments at which an audit saw its canaries change.

use crate::attribution::{bits::Bits, evidence::Evidence, problem::Problem};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// No store has more epochs than these: beyond, the borders closest to each other are taken for one.
pub const MAX_EPOCHS: usize = 200;

/// A copy of one store, taken in one epoch.
#[derive(Clone, Debug)]
pub struct StoreCopy {
    /// The epoch.
    pub from: Timestamp,
    /// Its end: the next border, or now.
    pub to: Timestamp,
    /// Canaries in the copy. One that was seen before the epoch began is not: that sighting was of another copy.
    pub holds: Bits,
    /// ln of the chance that a copy of this store is from this epoch, nothing seen.
    pub ln_prior: f64,
}

/// One store and every copy that may have been taken of it.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub store: String,
    pub copies: Vec<StoreCopy>,
}

/// Every candidate, by name. Each is read twice, and both readings count: as audits saw it, and as if its feeds had
/// brought every canary the moment it was planted upstream, or right after the last audit that did not see it. Between a
/// sync and the next audit the second is the true one, and without it the store upstream would stand accused beside the
/// one that leaked.
pub fn candidates(problem: &Problem, evidence: &Evidence<'_>) -> Vec<Candidate> {
    let reached = reached(problem);
    let mut audited: BTreeMap<&str, Vec<Presence>> =
        problem.stores.iter().map(|store| (store.as_str(), Vec::new())).collect();
    let mut prompt = audited.clone();
    for (number, facts) in evidence.canaries.iter().enumerate() {
        let stays = || facts.stays.iter().filter(|stay| stay.until.is_none_or(|until| until > stay.from));
        let earliest_in = |store: &str| stays().filter(|stay| stay.store == store).min_by_key(|stay| stay.from);
        let homes = facts.homes();
        let home = homes.iter().filter_map(|home| earliest_in(home)).min_by_key(|stay| stay.from);
        let mut unaudited: BTreeSet<&str> =
            homes.iter().filter_map(|home| reached.get(home)).flatten().copied().collect();
        unaudited.retain(|store| !homes.contains(store));
        for stay in stays() {
            unaudited.remove(stay.store.as_str());
            let first = earliest_in(&stay.store).is_some_and(|earliest| earliest.from == stay.from);
            let from = home
                .filter(|home| first && home.from < stay.from && !homes.contains(stay.store.as_str()))
                .map_or(stay.from, |home| last_looked(problem, &stay.store, home.from, stay.from).unwrap_or(home.from));
            add(&mut audited, &stay.store, (number, stay.from, stay.until), problem.now);
            add(&mut prompt, &stay.store, (number, from, stay.until), problem.now);
        }
        for (store, home) in unaudited.into_iter().filter_map(|store| Some((store, home?))) {
            let until = home.until.unwrap_or(Timestamp::MAX);
            let from = last_looked(problem, store, home.from, until).unwrap_or(home.from);
            add(&mut prompt, store, (number, from, home.until), problem.now);
        }
    }
    let mut seen: Vec<(usize, Timestamp)> =
        evidence.first_seen.iter().enumerate().filter_map(|(number, at)| Some((number, (*at)?))).collect();
    seen.sort_by_key(|(number, at)| (*at, *number));
    let read = |stays: Vec<Presence>| copies(stays, problem.now, evidence.canaries.len(), &seen);
    let both = audited.into_iter().zip(prompt.into_values());
    both.map(|((store, audited), prompt)| {
        let readings = if audited == prompt { vec![audited] } else { vec![audited, prompt] };
        let readings: Vec<Vec<StoreCopy>> =
            readings.into_iter().map(read).filter(|copies| !copies.is_empty()).collect();
        let ln_share = -(readings.len().max(1) as f64).ln();
        let copies = readings.into_iter().flatten().map(|mut copy| {
            copy.ln_prior += ln_share;
            copy
        });
        Candidate { store: store.to_owned(), copies: copies.collect() }
    })
    .collect()
}

/// The last audit of a store after one moment and before another, or before now.
fn last_looked(problem: &Problem, store: &str, after: Timestamp, before: Timestamp) -> Option<Timestamp> {
    let before = before.min(problem.now);
    problem.audits.get(store)?.iter().copied().filter(|audit| after < *audit && *audit < before).max()
}

fn add(stays: &mut BTreeMap<&str, Vec<Presence>>, store: &str, (number, from, until): Presence, now: Timestamp) {
    if let Some(stays) = stays.get_mut(store).filter(|_| from <= now) {
        stays.push((number, from, until.filter(|until| *until <= now)));
    }
}

/// For each store that feeds others: every store its rows may come to.
pub(super) fn reached(problem: &Problem) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut reached = BTreeMap::new();
    for home in problem.feeds.keys() {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let mut ahead = vec![home.as_str()];
        while let Some(store) = ahead.pop() {
            let fed = problem.feeds.get(store).into_iter().flatten().map(String::as_str);
            ahead.extend(fed.filter(|fed| *fed != home && found.insert(fed)));
        }
        reached.insert(home.as_str(), found);
    }
    reached
}

/// A canary, by its number, from when to when.
type Presence = (usize, Timestamp, Option<Timestamp>);

fn copies(stays: Vec<Presence>, now: Timestamp, size: usize, seen: &[(usize, Timestamp)]) -> Vec<StoreCopy> {
    let moments: BTreeSet<Timestamp> =
        stays.iter().flat_map(|(_, from, until)| [Some(*from), *until]).flatten().collect();
    let borders = thinned(moments.into_iter().collect());
    // Which epoch a moment opens: the last border that is not after it.
    let epoch_of = |moment: Timestamp| borders.partition_point(|border| *border <= moment).saturating_sub(1);
    let mut arrivals: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut departures: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, from, until) in stays {
        let arrival = epoch_of(from);
        arrivals.entry(arrival).or_default().push(number);
        if let Some(until) = until {
            // A stay within one epoch still counts in it.
            departures.entry(epoch_of(until).max(arrival + 1)).or_default().push(number);
        }
    }
    let ends = borders.iter().copied().skip(1).chain([now]);
    let spans: Vec<(Timestamp, Timestamp)> = borders.iter().copied().zip(ends).collect();
    let ln_priors = ln_priors(&spans);
    let mut stays_in = vec![0u32; size];
    let mut present = Bits::empty(size);
    spans
        .into_iter()
        .zip(ln_priors)
        .enumerate()
        .map(|(epoch, ((from, to), ln_prior))| {
            for number in departures.remove(&epoch).unwrap_or_default() {
                stays_in[number] -= 1;
                if stays_in[number] == 0 {
                    present.remove(number);
                }
            }
            for number in arrivals.remove(&epoch).unwrap_or_default() {
                stays_in[number] += 1;
                present.insert(number);
            }
            let mut holds = present.clone();
            for (number, _) in seen.iter().take_while(|(_, at)| *at < from) {
                holds.remove(*number);
            }
            StoreCopy { from, to, holds, ln_prior }
        })
        .collect()
}

/// Leaves at most `MAX_EPOCHS` borders: the first of each cluster, where clusters part at the widest gaps.
fn thinned(borders: Vec<Timestamp>) -> Vec<Timestamp> {
    if borders.len() <= MAX_EPOCHS {
        return borders;
    }
    let mut gaps: Vec<(i128, usize)> = borders
        .windows(2)
        .enumerate()
        .map(|(i, pair)| (pair[1].as_nanosecond() - pair[0].as_nanosecond(), i + 1))
        .collect();
    gaps.sort_by_key(|(gap, at)| (std::cmp::Reverse(*gap), *at));
    let mut kept: Vec<usize> = gaps.into_iter().take(MAX_EPOCHS - 1).map(|(_, at)| at).chain([0]).collect();
    kept.sort_unstable();
    kept.into_iter().map(|at| borders[at]).collect()
}

/// Half of the weight goes by length, for a copy may be taken at any moment; half goes evenly, so that a leak in the
/// first hour of a new generation is not held for impossible.
fn ln_priors(spans: &[(Timestamp, Timestamp)]) -> Vec<f64> {
    let length = |(from, to): &(Timestamp, Timestamp)| to.duration_since(*from).as_secs_f64().max(0.0) + 1.0;
    let whole: f64 = spans.iter().map(length).sum();
    spans.iter().map(|span| (0.5 / spans.len() as f64 + 0.5 * length(span) / whole).ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::{MAX_EPOCHS, candidates};
    use crate::{
        attribution::{
            evidence::Evidence,
            problem::{CanaryFacts, Problem, Seen, Stay},
        },
        domain::sighting::Class,
    };
    use canaries::CanaryId;
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn canary(number: u16, stays: &[(&str, i64, Option<i64>)]) -> CanaryFacts {
        let mut id = [0; 10];
        id[..2].copy_from_slice(&number.to_be_bytes());
        CanaryFacts {
            id: CanaryId(id),
            home: stays[0].0.into(),
            generation: 1,
            stays: stays
                .iter()
                .map(|(store, from, until)| Stay { store: (*store).into(), from: at(*from), until: until.map(at) })
                .collect(),
            showable: vec![Class::Dump],
            ..CanaryFacts::default()
        }
    }

    fn held(problem: &Problem, store: &str) -> Vec<(i64, i64, Vec<usize>)> {
        let evidence = Evidence::of(problem);
        let found = candidates(problem, &evidence);
        let candidate = found.iter().find(|candidate| candidate.store == store).unwrap();
        let numbers = 0..problem.canaries.len();
        candidate
            .copies
            .iter()
            .map(|copy| {
                let holds = numbers.clone().filter(|number| copy.holds.contains(*number)).collect();
                (copy.from.as_second(), copy.to.as_second(), holds)
            })
            .collect()
    }

    fn problem(canaries: Vec<CanaryFacts>) -> Problem {
        Problem { stores: vec!["b".into(), "a".into()], now: at(100), canaries, ..Problem::default() }
    }

    #[test]
    fn epochs_lie_between_the_changes_of_the_store_itself() {
        let problem = problem(vec![
            canary(0, &[("a", 10, Some(40)), ("b", 15, None)]),
            canary(1, &[("a", 20, None)]),
            canary(2, &[("a", 500, None)]),
        ]);
        assert_eq!(held(&problem, "a"), vec![(10, 20, vec![0]), (20, 40, vec![0, 1]), (40, 100, vec![1])]);
        // A canary from upstream may have come before the audit that saw it.
        assert_eq!(held(&problem, "b"), vec![(15, 100, vec![0]), (10, 100, vec![0])]);
    }

    #[test]
    fn what_an_audit_did_not_see_came_after_it() {
        let mut problem = problem(vec![canary(0, &[("a", 10, None)]), canary(1, &[("a", 10, None), ("b", 60, None)])]);
        problem.feeds.insert("a".into(), vec!["b".into()]);
        assert_eq!(
            held(&problem, "b"),
            vec![(60, 100, vec![1]), (10, 100, vec![0, 1])],
            "no audit: both from the start"
        );
        problem.audits.insert("b".into(), [20, 40, 60, 70, 200].map(at).to_vec());
        assert_eq!(
            held(&problem, "b"),
            vec![(60, 100, vec![1]), (40, 70, vec![1]), (70, 100, vec![0, 1])],
            "one came between the audits of 40 and 60, the other after that of 70 if at all"
        );
    }

    #[test]
    fn a_copy_is_older_than_the_first_sighting_of_what_it_holds() {
        let mut problem = problem(vec![canary(0, &[("a", 10, None)]), canary(1, &[("a", 60, None)])]);
        problem.seen.push(Seen { canary: problem.canaries[0].id, class: Class::Dump, at: at(30), received: at(30) });
        assert_eq!(held(&problem, "a"), vec![(10, 60, vec![0]), (60, 100, vec![1])]);
    }

    #[test]
    fn a_canary_that_comes_back_is_back() {
        let problem = problem(vec![canary(0, &[("a", 10, Some(20)), ("a", 30, None)]), canary(1, &[("a", 5, None)])]);
        assert_eq!(
            held(&problem, "a"),
            vec![(5, 10, vec![1]), (10, 20, vec![0, 1]), (20, 30, vec![1]), (30, 100, vec![0, 1])]
        );
    }

    #[test]
    fn many_borders_become_few_and_lose_no_canary() {
        let canaries: Vec<CanaryFacts> =
            (0..600).map(|i| canary(i, &[("a", i64::from(i / 200) * 1_000_000 + i64::from(i), None)])).collect();
        let mut problem = problem(canaries);
        problem.now = at(5_000_000);
        let held = held(&problem, "a");
        assert_eq!(held.len(), MAX_EPOCHS);
        assert_eq!(held.last().unwrap().2.len(), 600);
        assert!(held.iter().any(|(from, to, holds)| (*from, *to, holds.len()) >= (0, 1_000_200, 200)));
    }

    #[test]
    fn a_store_without_canaries_has_no_copy() {
        assert!(held(&problem(vec![canary(0, &[("a", 10, None)])]), "b").is_empty());
    }
}
