//! The coded canaries of a problem, ready for the lock: what was drawn, and what was seen.

use crate::attribution::{
    bits::Bits,
    copies::{Candidate, reached},
    e_values::{Group, Lock, Model, models},
    evidence::Evidence,
    problem::Problem,
};
use std::collections::BTreeMap;

/// What was drawn.
pub struct Draws {
    /// Coded canaries, by the chance with which each store drew them.
    chances: Vec<(f64, Bits)>,
    /// Of each candidate, what it drew, and of what it drew at all; none where its draw is not its own: a feed brought it
    /// another store's, or took its own along, and parent and child would be one to the lock.
    drawn: Vec<Option<Drawn>>,
    /// By generation: one of which nothing was seen may have been in no copy.
    generations: BTreeMap<u32, Bits>,
    models: Vec<Model>,
}

/// One candidate's draws.
#[derive(Clone)]
struct Drawn {
    held: Bits,
    took_part: Bits,
}

/// A lock, with the canaries of each of its groups.
pub struct Asked {
    lock: Lock,
    groups: Vec<Bits>,
}

impl Draws {
    /// Reads them off the register. Audits never take a canary out: that would make the draw depend on what came of it.
    pub fn of(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>) -> Draws {
        let size = evidence.canaries.len();
        let mut draws = Draws {
            chances: Vec::new(),
            drawn: vec![Some(Drawn { held: Bits::empty(size), took_part: Bits::empty(size) }); candidates.len()],
            generations: BTreeMap::new(),
            models: models(),
        };
        let place = |store: &str| candidates.iter().position(|candidate| candidate.store == *store);
        for (number, facts) in evidence.canaries.iter().enumerate() {
            let Some(draw) = &facts.draw else { continue };
            match draws.chances.iter_mut().find(|(chance, _)| *chance == draw.chance) {
                Some((_, rows)) => rows.insert(number),
                None => {
                    let mut rows = Bits::empty(size);
                    rows.insert(number);
                    draws.chances.push((draw.chance, rows));
                }
            }
            draws.generations.entry(facts.generation).or_insert_with(|| Bits::empty(size)).insert(number);
            for store in &draw.among {
                if let Some(drawn) = place(store).and_then(|store| draws.drawn[store].as_mut()) {
                    drawn.took_part.insert(number);
                    if draw.stores.contains(store) {
                        drawn.held.insert(number);
                    }
                }
            }
            let strayed: Vec<usize> = facts
                .stays
                .iter()
                .filter(|stay| !draw.stores.contains(&stay.store))
                .filter_map(|stay| place(&stay.store))
                .collect();
            if !strayed.is_empty() {
                let parents = draw.stores.iter().filter_map(|store| place(store));
                for store in parents.chain(strayed).collect::<Vec<_>>() {
                    draws.drawn[store] = None;
                }
            }
        }
        // Of a feed at which nobody looked since, nobody knows what it brought.
        let coded = evidence.canaries.iter().filter(|facts| facts.draw.is_some());
        let planted = coded.flat_map(|facts| &facts.stays).map(|stay| stay.from).max();
        let looked = |store: &str| problem.audits.get(store).into_iter().flatten().any(|audit| Some(*audit) >= planted);
        for (home, fed) in reached(problem) {
            if !fed.iter().all(|store| looked(store)) {
                fed.into_iter().chain([home]).filter_map(place).for_each(|store| draws.drawn[store] = None);
            }
        }
        for drawn in &mut draws.drawn {
            *drawn = drawn.take().filter(|drawn| drawn.took_part.count() > 0);
        }
        draws.chances.sort_by(|a, b| a.0.total_cmp(&b.0));
        draws
    }

    /// The lock for what was seen, given who is accused.
    pub fn lock(&self, seen: &Bits, accused: &[usize]) -> Asked {
        let (mut groups, mut alike) = (Vec::new(), Vec::new());
        let drew =
            |store: usize, number: usize| self.drawn[store].as_ref().is_some_and(|drawn| drawn.held.contains(number));
        // Which generations count follows from what was seen, never from a candidate's draw.
        let alive = self.generations.values().filter(|of| of.count_shared(seen) > 0).cloned();
        let alive = alive.reduce(|all, more| all.union(&more));
        let holders_of = |number: usize| accused.iter().filter(|store| drew(**store, number)).count();
        for (chance, rows) in &self.chances {
            let rows = alive.as_ref().map_or_else(|| rows.clone(), |alive| rows.shared(alive));
            for was_seen in [false, true] {
                let outcome = if was_seen { rows.shared(seen) } else { rows.without(seen) };
                for holders in 0..=accused.len() {
                    let mut group = outcome.clone();
                    if !accused.is_empty() {
                        outcome
                            .numbers()
                            .filter(|number| holders_of(*number) != holders)
                            .for_each(|number| group.remove(number));
                    }
                    let canaries = group.count();
                    if canaries > 0 {
                        groups.push(Group { drawn_with: *chance, seen: was_seen, accused: holders, canaries });
                        alike.push(group);
                    }
                }
            }
        }
        Asked { lock: Lock::new(&self.models, &groups, accused.len()), groups: alike }
    }

    /// ln of the candidate's value; none where it has no draw of its own.
    pub fn ln_value(&self, asked: &Asked, store: usize) -> Option<f64> {
        let drawn = self.drawn[store].as_ref()?;
        let counts: Vec<[u64; 2]> = asked
            .groups
            .iter()
            .map(|group| {
                let held = group.count_shared(&drawn.held);
                [group.count_shared(&drawn.took_part) - held, held]
            })
            .collect();
        let any = counts.iter().flatten().any(|count| *count > 0);
        asked.lock.ln_value(&counts).filter(|_| any)
    }
}
