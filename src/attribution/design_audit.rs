//! Before anything leaks: which stores could not be told apart, given how many canaries each holds and which store is
//! copied into which. For `plan`.

use crate::attribution::{
    conditions::LEAST_LOG10_LR,
    likelihood::{Counts, FALSE_SIGHTING, Likelihood},
    priors::Prior,
};
use std::collections::{BTreeMap, BTreeSet};

/// A store as it is, or as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStore {
    pub store: String,
    /// Canaries of its own.
    pub canaries: u64,
    /// The stores that it is copied into, its canaries with it.
    pub feeds: Vec<String>,
}

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
    let canaries: BTreeMap<&str, u64> = stores.iter().map(|store| (store.store.as_str(), store.canaries)).collect();
    let count = |homes: &mut dyn Iterator<Item = &&str>| -> u64 { homes.filter_map(|home| canaries.get(*home)).sum() };
    let all: u64 = canaries.values().sum();
    let likelihood = Likelihood::new(&Prior::log_uniform(1e-3, all), FALSE_SIGHTING);
    let mut found = Vec::new();
    for (leaked, of_leaked) in &held {
        for (rival, of_rival) in held.iter().filter(|(rival, _)| *rival != leaked) {
            let only_leaked = count(&mut of_leaked.difference(of_rival));
            let only_rival = count(&mut of_rival.difference(of_leaked));
            let both = count(&mut of_leaked.intersection(of_rival));
            let seen = |canaries: u64| (canaries as f64 * share.clamp(0.0, 1.0)).round() as u64;
            let (seen_only, seen_both) = (seen(only_leaked), seen(both));
            let truth = Counts { all, in_copy: only_leaked + both, seen_in: seen_only + seen_both, seen_out: 0 };
            let other = Counts { all, in_copy: only_rival + both, seen_in: seen_both, seen_out: seen_only };
            found.push(Comparison {
                leaked: (*leaked).to_owned(),
                rival: (*rival).to_owned(),
                only_leaked,
                only_rival,
                log10_lr: (likelihood.ln(truth) - likelihood.ln(other)) / std::f64::consts::LN_10,
            });
        }
    }
    found
}

/// Each store, and the stores whose canaries end up in it.
fn held(stores: &[PlannedStore]) -> BTreeMap<&str, BTreeSet<&str>> {
    let feeds: BTreeMap<&str, &[String]> =
        stores.iter().map(|store| (store.store.as_str(), &store.feeds[..])).collect();
    let mut held: BTreeMap<&str, BTreeSet<&str>> = feeds.keys().map(|store| (*store, BTreeSet::new())).collect();
    for home in feeds.keys() {
        let mut ahead = vec![*home];
        while let Some(store) = ahead.pop() {
            if held.get_mut(store).is_some_and(|homes| homes.insert(home)) {
                ahead.extend(feeds.get(store).into_iter().flat_map(|fed| fed.iter().map(String::as_str)));
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::{Comparison, PlannedStore, compare};

    fn store(name: &str, canaries: u64, feeds: &[&str]) -> PlannedStore {
        PlannedStore { store: name.to_owned(), canaries, feeds: feeds.iter().map(|fed| (*fed).to_owned()).collect() }
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
        assert!(!pair(&compare(&stores, 0.03), "hris", "payroll").is_told(), "a thin sample does not show an absence");
        let child = pair(&found, "payroll", "hris");
        assert_eq!((child.only_leaked, child.only_rival), (72, 0));
        assert!(child.is_told() && child.log10_lr > root.log10_lr);
        // A copy without canaries of its own is the store it was copied from.
        let twin = pair(&found, "payroll", "backup");
        assert_eq!((twin.only_leaked, twin.only_rival), (0, 0));
        assert!(twin.log10_lr.abs() < 1e-9 && !twin.is_told());
        assert_eq!(pair(&found, "hris", "backup").only_rival, 72);
    }

    #[test]
    fn a_circle_of_feeds_ends() {
        let found = compare(&[store("a", 9, &["b"]), store("b", 9, &["a", "elsewhere"])], 1.0);
        assert!(found.iter().all(|pair| !pair.is_told() && pair.only_leaked == 0), "{found:?}");
    }
}
