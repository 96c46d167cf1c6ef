//! Leaks that have not happened: of stores as they are planned or planted, by one copy or several that a thief combined.
//! Chance comes in as a seed, so that the same question has the same answer.

use crate::{
    attribution::{
        problem::{CanaryFacts, Draw, Problem, Seen, Stay, ValueOf},
        rules::Rule,
    },
    domain::sighting::Class,
};
use canaries::{CanaryId, Field};
use jiff::{Span, Timestamp, ToSpan};
use rand::{RngExt, rngs::StdRng};
use std::collections::{BTreeMap, BTreeSet};

/// A store as it is, or as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStore {
    pub store: String,
    /// Canaries of its own that its feeds take along.
    pub canaries: u64,
    /// Canaries of its own that no feed takes along.
    pub kept_home: u64,
    /// The stores that it is copied into.
    pub feeds: Vec<String>,
}

/// What leaks, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leak {
    pub rule: Rule,
    pub copies: usize,
    /// The share of rows that is published.
    pub share: f64,
    /// The chance that any other canary is seen for no reason.
    pub stray: f64,
}

/// The problem of stores in which nothing leaked yet: canaries planted, fed, and audited.
pub fn planned(stores: &[PlannedStore], ghosts: u64) -> Problem {
    let mut problem = Problem {
        stores: stores.iter().map(|store| store.store.clone()).collect(),
        now: hours(2),
        feeds: stores.iter().map(|store| (store.store.clone(), store.feeds.clone())).collect(),
        ghosts,
        ..Problem::default()
    };
    let mut number = 0u64;
    for store in stores {
        let fed = fed_by(stores, &store.store);
        for place in 0..store.canaries + store.kept_home {
            let stays =
                [store.store.as_str()].into_iter().chain(fed.iter().copied().filter(|_| place < store.canaries));
            let stay = |store: &str| Stay { store: store.to_owned(), from: hours(0), until: None };
            let mut id = [0; 10];
            id[..8].copy_from_slice(&number.to_be_bytes());
            number += 1;
            problem.canaries.push(CanaryFacts {
                id: CanaryId(id),
                home: store.store.clone(),
                stays: stays.map(stay).collect(),
                ..CanaryFacts::default()
            });
        }
        problem.audits.insert(store.store.clone(), vec![hours(1)]);
    }
    problem
}

/// What is drawn by lot: somebody who may stand in several stores, or a value of such a person.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub draw: Draw,
    pub value: Option<ValueOf>,
}

/// The same with what is drawn by lot, each standing where it was drawn.
pub fn with_drawn(mut problem: Problem, drawn: BTreeMap<CanaryId, Drawn>) -> Problem {
    let from = hours(0);
    problem.canaries.extend(drawn.into_iter().map(|(id, Drawn { draw, value })| CanaryFacts {
        id,
        stays: draw.stores.iter().map(|store| Stay { store: store.clone(), from, until: None }).collect(),
        draw: Some(draw),
        value,
        of: value.map(|value| value.persona),
        ..CanaryFacts::default()
    }));
    problem
}

/// Every store that a store's rows come to.
pub fn fed_by<'a>(stores: &'a [PlannedStore], home: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut ahead = vec![home.to_owned()];
    while let Some(store) = ahead.pop() {
        let feeds = stores.iter().filter(|one| one.store == store).flat_map(|one| &one.feeds);
        for feed in feeds.filter(|feed| *feed != home) {
            // A feed to a store that is not among these leads nowhere.
            if let Some(known) =
                stores.iter().find(|one| one.store == *feed).filter(|one| found.insert(one.store.as_str()))
            {
                ahead.push(known.store.clone());
            }
        }
    }
    found
}

/// These canaries were seen now; an hour later somebody looked at every store, and then the question is put.
pub fn seen_and_audited(base: &Problem, seen: impl IntoIterator<Item = CanaryId>) -> Problem {
    let now = base.now;
    let later = |span: Span| now.saturating_add(span).unwrap_or(now);
    let mut problem = Problem { now: later(2.hours()), ..base.clone() };
    problem.seen = seen.into_iter().map(|canary| Seen { canary, class: Class::Dump, at: now, received: now }).collect();
    for store in &problem.stores {
        problem.audits.entry(store.clone()).or_default().push(later(1.hours()));
    }
    problem
}

/// Canaries that are alike: the stores of those of one home, whether those drawn by lot stand everywhere, and how many sources
/// hold them.
type Alike<'a> = (Vec<&'a str>, Option<bool>, usize);

/// What a leak of just these sources shows on average: of all canaries that are alike, their share.
pub fn typical(base: &Problem, sources: &[usize], leak: Leak) -> Vec<CanaryId> {
    let mut alike: BTreeMap<Alike<'_>, Vec<CanaryId>> = BTreeMap::new();
    for facts in base.canaries.iter().filter(|facts| facts.value.is_none()) {
        // Of those that were drawn by lot hardly two stand in the same stores; who stands in every store is another matter.
        let stays = facts.stays.iter().filter(|_| facts.draw.is_none());
        let stores: Vec<&str> = stays.map(|stay| stay.store.as_str()).collect();
        let everywhere = facts.draw.as_ref().map(|draw| draw.chance >= 1.0);
        let holders = holders(base, facts, sources, base.now);
        alike.entry((stores, everywhere, holders)).or_default().push(facts.id);
    }
    let mut seen = Vec::new();
    for ((_, _, holders), ids) in alike {
        let share = leak.rule.kept(holders, leak.copies) * leak.share;
        seen.extend(ids.iter().take((ids.len() as f64 * share).round() as usize));
    }
    let rows: BTreeSet<CanaryId> = seen.iter().copied().collect();
    let mut values: BTreeMap<(Field, usize), Vec<CanaryId>> = BTreeMap::new();
    for facts in &base.canaries {
        let Some(value) = facts.value.filter(|value| rows.contains(&value.persona)) else { continue };
        values.entry((value.field, holders(base, facts, sources, base.now))).or_default().push(facts.id);
    }
    for ((_, holders), ids) in values {
        let share = leak.rule.kept(holders, leak.copies);
        seen.extend(ids.iter().take((ids.len() as f64 * share).round() as usize));
    }
    seen
}

/// What a leak of these sources, copied at this moment, shows by chance.
pub fn drawn(base: &Problem, sources: &[usize], leak: Leak, taken: Timestamp, random: &mut StdRng) -> Vec<CanaryId> {
    let mut seen = Vec::new();
    let mut rows: BTreeSet<CanaryId> = BTreeSet::new();
    let (values, canaries): (Vec<&CanaryFacts>, Vec<&CanaryFacts>) =
        base.canaries.iter().partition(|facts| facts.value.is_some());
    for facts in canaries {
        let kept = leak.rule.kept(holders(base, facts, sources, taken), leak.copies) * leak.share;
        if random.random_bool(kept.clamp(0.0, 1.0)) || random.random_bool(leak.stray) {
            seen.push(facts.id);
            rows.insert(facts.id);
        }
    }
    // A value is shown by a row that was published, if it is of a copy that this row came from.
    for facts in values.into_iter().filter(|facts| facts.value.is_some_and(|value| rows.contains(&value.persona))) {
        if random.random_bool(leak.rule.kept(holders(base, facts, sources, taken), leak.copies)) {
            seen.push(facts.id);
        }
    }
    seen
}

/// How many of the sources held the canary then.
fn holders(base: &Problem, facts: &CanaryFacts, sources: &[usize], taken: Timestamp) -> usize {
    let held = |stay: &&Stay| stay.from <= taken && stay.until.is_none_or(|until| until > taken);
    let stores: BTreeSet<&str> = facts.stays.iter().filter(held).map(|stay| stay.store.as_str()).collect();
    sources.iter().filter(|source| stores.contains(base.stores[**source].as_str())).count()
}

fn hours(number: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(number.hours()).unwrap_or(Timestamp::UNIX_EPOCH)
}
