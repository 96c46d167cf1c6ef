//! Which copies were put together in leaked material: of several stores, or of one store at several times. What one copy
//! explains is never counted for another.

use crate::{
    domain::{
        sighting::Span,
        verdict::{Clocked, Part, Verdict},
    },
    flow::{clock, context::Context, error::FlowError},
};
use canaries::CanaryId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// So many canaries, or rows, make a copy of their own; fewer are chance, or one that somebody carried along.
const LEAST: usize = 2;
/// More copies are not told apart.
const MOST: usize = 8;

/// The copies that explain what was seen, the one with most canaries first.
pub fn parts(
    context: &Context,
    seen: &BTreeSet<CanaryId>,
    dated: &clock::Dated,
    verdict: &Verdict,
) -> Result<Vec<Part>, FlowError> {
    let mut homes: BTreeMap<CanaryId, String> = BTreeMap::new();
    let mut held: BTreeMap<String, BTreeSet<CanaryId>> = BTreeMap::new();
    let stores: Vec<&str> = context.stores.iter().map(|slot| slot.name.as_str()).collect();
    let feeds: BTreeMap<&str, &[String]> =
        context.stores.iter().map(|slot| (slot.name.as_str(), slot.feeds.as_slice())).collect();
    for canary in seen {
        let stood = context.ledger.presences_of(*canary, &stores)?.into_iter().map(|stay| stay.store);
        let placements = context.ledger.placements_of(*canary)?;
        // A feed may have carried it on before an audit saw that.
        let reached = placements.iter().flat_map(|row| reached(&row.placement.store, &feeds));
        for store in stood.chain(reached) {
            held.entry(store).or_default().insert(*canary);
        }
        if let [own] = placements.as_slice() {
            homes.insert(*canary, own.placement.store.clone());
        }
    }
    let accused = verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.as_str());
    let mut parts = Vec::new();
    for (store, own) in cover(held, &accused.collect::<Vec<_>>()) {
        let spans: Vec<Span> = own
            .iter()
            .filter(|canary| homes.get(*canary) == Some(&store))
            .filter_map(|canary| dated.get(canary))
            .flatten()
            .copied()
            .collect();
        let part = |canaries: u64, from, to| Part { store: store.clone(), canaries, from, to };
        match times(spans, context.now()).as_slice() {
            [] => parts.push(part(own.len() as u64, None, None)),
            [one] => parts.push(part(own.len() as u64, Some(one.from), Some(one.to))),
            several => parts.extend(several.iter().map(|one| part(one.agree, Some(one.from), Some(one.to)))),
        }
        if parts.len() >= MOST {
            break;
        }
    }
    Ok(parts)
}

/// A store, and whatever it is copied into.
fn reached(store: &str, feeds: &BTreeMap<&str, &[String]>) -> BTreeSet<String> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![store.to_owned()]);
    while let Some(store) = open.pop() {
        open.extend(feeds.get(store.as_str()).copied().unwrap_or_default().iter().cloned());
        if !reached.insert(store) {
            // A circle of feeds ends.
            open.retain(|next| !reached.contains(next));
        }
    }
    reached
}

/// The fewest stores, about, that explain all canaries: the accused first, then each time the one that explains most of
/// the rest. One that explains next to nothing more is none, unless it is the only one.
fn cover(mut held: BTreeMap<String, BTreeSet<CanaryId>>, accused: &[&str]) -> Vec<(String, BTreeSet<CanaryId>)> {
    let mut found: Vec<(String, BTreeSet<CanaryId>)> = Vec::new();
    loop {
        let best = held
            .iter()
            .max_by_key(|(store, own)| (accused.contains(&store.as_str()), own.len()))
            .filter(|(_, own)| found.is_empty() && !own.is_empty() || own.len() >= LEAST)
            .map(|(store, _)| store.clone());
        let Some(store) = best else { return found };
        let own = held.remove(&store).unwrap_or_default();
        held.values_mut().for_each(|others| others.retain(|canary| !own.contains(canary)));
        found.push((store, own));
        // An accused store that explains nothing more must not hide one that does.
        held.retain(|_, own| own.len() >= LEAST);
    }
}

/// When rows were copied: at one time, unless too many of them contradict it. Each time with the rows that agree on it.
fn times(mut spans: Vec<Span>, now: Timestamp) -> Vec<Clocked> {
    let mut found = Vec::new();
    while let Some(moment) = likeliest(&spans, now) {
        let all = spans.len();
        let covers = |span: &Span| span.from <= moment && span.until.is_none_or(|until| moment < until);
        let (own, rest): (Vec<Span>, Vec<Span>) = spans.into_iter().partition(covers);
        spans = rest;
        // A row that lies is no copy of its own.
        if own.len() < LEAST || own.len() * 10 < all || found.len() >= MOST {
            break;
        }
        found.extend(clock::read(&own, None, now));
    }
    found
}

/// The moment that most rows may have been copied at, the latest of several.
fn likeliest(spans: &[Span], now: Timestamp) -> Option<Timestamp> {
    let mut turns: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for Span { from, until } in spans {
        *turns.entry(*from).or_default() += 1;
        *turns.entry(until.unwrap_or(now).max(*from)).or_default() -= 1;
    }
    let mut covering = 0;
    let counted = turns.into_iter().map(|(at, turn)| {
        covering += turn;
        (covering, at)
    });
    counted.max().map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canaries(numbers: &[u8]) -> BTreeSet<CanaryId> {
        numbers.iter().map(|number| CanaryId([*number; 10])).collect()
    }

    fn told(held: &[(&str, &[u8])], accused: &[&str]) -> Vec<(String, usize)> {
        let held = held.iter().map(|(store, own)| ((*store).to_owned(), canaries(own))).collect();
        cover(held, accused).into_iter().map(|(store, own)| (store, own.len())).collect()
    }

    #[test]
    fn one_copy_explains_all_that_it_can() {
        let of = |pairs: &[(&str, usize)]| {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[("a", &[1, 2, 3]), ("b", &[2, 3])], &["a"]), of(&[("a", 3)]), "a feed's target");
        assert_eq!(told(&[("a", &[1, 2, 3]), ("b", &[4, 5, 3])], &["a"]), of(&[("a", 3), ("b", 2)]));
        assert_eq!(told(&[("a", &[1, 2, 3]), ("b", &[4])], &[]), of(&[("a", 3)]), "one may have been carried along");
        assert_eq!(told(&[("a", &[1]), ("b", &[])], &[]), of(&[("a", 1)]));
        assert_eq!(told(&[], &[]), of(&[]));
    }

    #[test]
    fn copies_of_two_times_are_two() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let span = |from: i64, until: i64| Span { from: at(from), until: Some(at(until)) };
        let first: Vec<Span> = (0..6).map(|n| span(n, 20 + n)).collect();
        let second: Vec<Span> = (0..4).map(|n| span(50 + n, 70 + n)).collect();
        assert_eq!(times(first.clone(), at(100)).len(), 1);
        let both = times([first.clone(), second].concat(), at(100));
        assert_eq!(both.iter().map(|one| one.agree).collect::<Vec<_>>(), [6, 4]);
        assert_eq!(times([first, vec![span(50, 70)]].concat(), at(100)).len(), 1, "one row that lies");
        assert!(times(Vec::new(), at(100)).is_empty());
    }

    #[test]
    fn circles_of_feeds_end() {
        let (into_b, into_a) = (vec!["b".to_owned()], vec!["a".to_owned()]);
        let feeds = BTreeMap::from([("a", into_b.as_slice()), ("b", into_a.as_slice())]);
        assert_eq!(reached("a", &feeds), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert_eq!(reached("c", &feeds), BTreeSet::from(["c".to_owned()]));
    }
}
