//! Before anything leaks: which stores could not be told apart, given how many canaries each holds and which store is
//! copied into which, and what the decision rule would say of leaks of each size. For `plan` and `check`.

use crate::{
    attribution::{
        conditions::LEAST_LOG10_LR,
        decide::attribute,
        likelihood::{Counts, FALSE_SIGHTING, Likelihood},
        priors::Prior,
        problem::{CanaryFacts, Problem, Stay},
        rules::{MOST_COPIES, Rule},
        scenario::{self, Leak, PlannedStore, fed_by},
    },
    domain::verdict::Outcome,
};
use canaries::CanaryId;
use std::collections::{BTreeMap, BTreeSet};

/// Shares of a store at which the expected evidence is told.
pub const SHARES: [f64; 3] = [1.0, 0.3, 0.1];

/// What a leak of one store would say against another's.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub leaked: String,
    pub rival: String,
    /// Canaries that only the leaked store holds.
    pub only_leaked: u64,
    /// Canaries that only the rival holds: the leak is told by their absence.
    pub only_rival: u64,
    /// log10 of the likelihood ratio to be expected.
    pub log10_lr: f64,
    /// The same at each of `SHARES`.
    pub at_shares: [f64; 3],
}

impl Comparison {
    /// Whether the decision rule would accuse the leaked store before this rival.
    pub fn is_told(&self) -> bool {
        self.log10_lr >= LEAST_LOG10_LR
    }
}

/// Every store against every other, if this share of a store leaked, in order of names.
pub fn compare(stores: &[PlannedStore], share: f64) -> Vec<Comparison> {
    let held = held(stores);
    let count = |groups: &mut dyn Iterator<Item = &Group<'_>>| -> u64 { groups.map(|group| group.canaries).sum() };
    let all: u64 = stores.iter().map(|store| store.canaries + store.kept_home).sum();
    let likelihood = Likelihood::new(&Prior::log_uniform(1e-3, all), FALSE_SIGHTING);
    let mut found = Vec::new();
    for (leaked, of_leaked) in &held {
        for (rival, of_rival) in held.iter().filter(|(rival, _)| *rival != leaked) {
            let only_leaked = count(&mut of_leaked.difference(of_rival));
            let only_rival = count(&mut of_rival.difference(of_leaked));
            let both = count(&mut of_leaked.intersection(of_rival));
            let log10_lr = |share: f64| {
                let seen = |canaries: u64| (canaries as f64 * share.clamp(0.0, 1.0)).round() as u64;
                let (seen_only, seen_both) = (seen(only_leaked), seen(both));
                let truth = Counts { all, in_copy: only_leaked + both, seen_in: seen_only + seen_both, seen_out: 0 };
                let other = Counts { all, in_copy: only_rival + both, seen_in: seen_both, seen_out: seen_only };
                (likelihood.ln(truth) - likelihood.ln(other)) / std::f64::consts::LN_10
            };
            found.push(Comparison {
                leaked: (*leaked).to_owned(),
                rival: (*rival).to_owned(),
                only_leaked,
                only_rival,
                log10_lr: log10_lr(share),
                at_shares: SHARES.map(log10_lr),
            });
        }
    }
    found
}

/// Stores that hold the same canaries now: whatever is seen, none of a class can be told from the others.
pub fn classes(base: &Problem) -> Vec<Vec<String>> {
    let mut classes: BTreeMap<BTreeSet<CanaryId>, Vec<String>> = BTreeMap::new();
    for store in &base.stores {
        classes.entry(standing(base, store)).or_default().push(store.clone());
    }
    classes.into_iter().filter(|(held, class)| class.len() > 1 && !held.is_empty()).map(|(_, class)| class).collect()
}

/// Stores in which no canary stands: a leak of one is never seen.
pub fn bare(base: &Problem) -> Vec<String> {
    base.stores.iter().filter(|store| standing(base, store).is_empty()).cloned().collect()
}

fn standing(base: &Problem, store: &str) -> BTreeSet<CanaryId> {
    let stands = |facts: &&CanaryFacts| {
        let there = |stay: &Stay| stay.store == *store && stay.until.is_none_or(|until| until > base.now);
        facts.stays.iter().any(there)
    };
    base.canaries.iter().filter(stands).map(|facts| facts.id).collect()
}

/// What the decision rule would say of an average leak of one store.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    pub store: String,
    /// Whether a leak of each of `SHARES` would be attributed.
    pub attributed: [bool; 3],
    /// Why not, at the largest share that would not be.
    pub why_not: Vec<String>,
}

/// The whole rule on an average leak of each store, and of each share: once it is seen, every store is audited.
pub fn outlooks(base: &Problem) -> Vec<Outlook> {
    let of = |(number, store): (usize, &String)| {
        let verdicts =
            SHARES.map(|share| verdict_on(base, &[number], Leak { rule: Rule::Union, copies: 1, share, stray: 0.0 }));
        let told = |(accused, _): &(Vec<String>, Vec<String>)| accused == std::slice::from_ref(store);
        let why_not = verdicts.iter().find(|verdict| !told(verdict)).map(|(_, why_not)| why_not.clone());
        Outlook {
            store: store.clone(),
            attributed: verdicts.each_ref().map(told),
            why_not: why_not.unwrap_or_default(),
        }
    };
    base.stores.iter().enumerate().map(of).collect()
}

/// How many stores' copies may be combined by this rule, published whole, so that every source of each combination that was
/// tried is told: zero where not even each single copy's is.
pub fn copies_told(base: &Problem, rule: Rule) -> usize {
    // So many combinations of a size are tried, spread over all of them: where stores are many, each takes a while.
    let tried = if base.stores.len() > 8 { 6 } else { 24 };
    let told = |sources: &Vec<usize>| {
        let leak = Leak { rule, copies: sources.len(), share: 1.0, stray: 0.0 };
        let (accused, _) = verdict_on(base, sources, leak);
        accused.len() == sources.len() && sources.iter().all(|source| accused.contains(&base.stores[*source]))
    };
    let all_told = |size: &usize| {
        let all = combinations(base.stores.len(), *size);
        let step = if *size == 1 { 1 } else { all.len().div_ceil(tried).max(1) };
        all.iter().step_by(step).all(told)
    };
    (1..=MOST_COPIES.min(base.stores.len())).take_while(all_told).last().unwrap_or(0)
}

/// Every way to choose so many of so many.
pub fn combinations(of: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let longer = |last: usize| {
        combinations(last, size - 1).into_iter().map(move |mut chosen| {
            chosen.push(last);
            chosen
        })
    };
    (size - 1..of).flat_map(longer).collect()
}

fn verdict_on(base: &Problem, sources: &[usize], leak: Leak) -> (Vec<String>, Vec<String>) {
    let verdict = attribute(&scenario::seen_and_audited(base, scenario::typical(base, sources, leak)));
    let accused = verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.clone()).collect();
    match verdict.verdict {
        Outcome::NothingFound => (accused, vec!["no canary would be seen".to_owned()]),
        _ => (accused, verdict.why_not),
    }
}

/// Canaries of one store that are fed alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    home: &'a str,
    kept: bool,
    canaries: u64,
}

/// Each store, and the groups of canaries that end up in it.
fn held(stores: &[PlannedStore]) -> BTreeMap<&str, BTreeSet<Group<'_>>> {
    let mut held: BTreeMap<&str, BTreeSet<Group<'_>>> =
        stores.iter().map(|store| (store.store.as_str(), BTreeSet::new())).collect();
    for store in stores {
        let fed = fed_by(stores, &store.store);
        for (kept, canaries) in [(false, store.canaries), (true, store.kept_home)] {
            let reached = fed.iter().copied().filter(|_| !kept).chain([store.store.as_str()]);
            for reached in reached.filter(|_| canaries > 0) {
                if let Some(groups) = held.get_mut(reached) {
                    groups.insert(Group { home: &store.store, kept, canaries });
                }
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::{Comparison, bare, classes, combinations, compare, copies_told, outlooks};
    use crate::attribution::{
        rules::Rule,
        scenario::{PlannedStore, planned},
    };

    fn store(name: &str, canaries: u64, feeds: &[&str]) -> PlannedStore {
        PlannedStore {
            store: name.to_owned(),
            canaries,
            kept_home: 0,
            feeds: feeds.iter().map(|fed| (*fed).to_owned()).collect(),
        }
    }

    fn pair(found: &[Comparison], leaked: &str, rival: &str) -> Comparison {
        found.iter().find(|pair| pair.leaked == leaked && pair.rival == rival).unwrap().clone()
    }

    #[test]
    fn a_root_is_told_by_what_its_copies_have_and_it_has_not() {
        let stores = [
            store("hris", 72, &["payroll"]),
            store("payroll", 72, &["backup"]),
            store("backup", 0, &[]),
            store("mail", 5, &[]),
        ];
        let found = compare(&stores, 0.3);
        assert_eq!(found.len(), 12);
        let root = pair(&found, "hris", "payroll");
        assert_eq!((root.only_leaked, root.only_rival), (0, 72));
        assert!(root.is_told(), "{root:?}");
        assert_eq!(root.at_shares[1], root.log10_lr);
        assert!(root.at_shares[0] > root.at_shares[1] && root.at_shares[1] > root.at_shares[2]);
        assert!(!pair(&compare(&stores, 0.03), "hris", "payroll").is_told(), "a thin sample does not show an absence");
        let child = pair(&found, "payroll", "hris");
        assert_eq!((child.only_leaked, child.only_rival), (72, 0));
        assert!(child.is_told() && child.log10_lr > root.log10_lr);
        // A copy without canaries of its own is the store it was copied from.
        let twin = pair(&found, "payroll", "backup");
        assert_eq!((twin.only_leaked, twin.only_rival), (0, 0));
        assert!(twin.log10_lr.abs() < 1e-9 && !twin.is_told());
        assert_eq!(classes(&planned(&stores, 0)), [["payroll", "backup"]]);
        assert!(bare(&planned(&stores, 0)).is_empty());
        assert_eq!(pair(&found, "hris", "backup").only_rival, 72);
    }

    #[test]
    fn a_circle_of_feeds_ends() {
        let stores = [store("a", 9, &["b"]), store("b", 9, &["a", "elsewhere"]), store("c", 0, &[])];
        let found = compare(&stores, 1.0);
        assert!(
            found.iter().filter(|pair| pair.leaked != "c" && pair.rival != "c").all(|pair| !pair.is_told()),
            "{found:?}"
        );
        let base = planned(&stores, 0);
        assert_eq!((classes(&base), bare(&base)), (vec![vec!["a".to_owned(), "b".to_owned()]], vec!["c".to_owned()]));
    }

    #[test]
    fn a_root_is_attributed_only_with_canaries_that_stay_at_home() {
        let mut stores =
            [store("hris", 48, &["payroll", "directory"]), store("payroll", 48, &[]), store("directory", 48, &[])];
        let fed = outlooks(&planned(&stores, 1_000_000));
        assert_eq!((fed[0].attributed, fed[1].attributed[0]), ([false; 3], true), "{fed:?}");
        assert!(fed[0].why_not.iter().any(|why| why.contains("what directory and payroll have in common")), "{fed:?}");
        (stores[0].canaries, stores[0].kept_home) = (24, 24);
        let kept = outlooks(&planned(&stores, 1_000_000));
        assert!(kept.iter().all(|outlook| outlook.attributed[..2] == [true, true]), "{kept:?}");
    }

    #[test]
    fn unique_canaries_tell_unions_and_never_what_stores_share() {
        let stores: Vec<PlannedStore> = ["a", "b", "c", "d", "e"].map(|name| store(name, 48, &[])).to_vec();
        let base = planned(&stores, 1_000_000);
        assert_eq!(copies_told(&base, Rule::Union), 4);
        assert_eq!(copies_told(&base, Rule::Intersection), 1);
        assert_eq!(combinations(5, 3).len(), 10);
        assert_eq!(combinations(3, 1), [[0], [1], [2]]);
    }
}
