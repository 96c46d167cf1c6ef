//! The coded canaries of a problem, ready for the locks: what was drawn, and what was seen.

use crate::attribution::{
    bits::Bits,
    copies::{Candidate, reached},
    e_values::{Group, Lock, Model, models},
    evidence::Evidence,
    problem::{Draw, Problem},
    values::Values,
};
use std::collections::BTreeMap;

/// What was drawn.
pub struct Draws {
    /// Canaries, and values of them, in all.
    size: usize,
    /// Coded canaries, by the chance with which each store drew them.
    chances: Vec<(f64, Bits)>,
    /// Of each candidate, what it drew, and of what it drew at all.
    drawn: Vec<Drawn>,
    /// By generation: one of which nothing was seen may have been in no copy.
    generations: BTreeMap<u32, Bits>,
    models: Vec<Model>,
    values: Values,
}

/// One candidate's draws.
#[derive(Clone)]
struct Drawn {
    held: Bits,
    took_part: Bits,
    /// Its draw is not its own: a feed brought it another store's, or took its own along, and parent and child would be one
    /// to the lock.
    struck: bool,
}

/// A lock, with the canaries of each of its groups.
pub struct Asked {
    lock: Lock,
    groups: Vec<Bits>,
    seen: Bits,
}

impl Draws {
    /// Reads them off the register. Audits never take a canary out: that would make the draw depend on what came of it.
    pub fn of(problem: &Problem, candidates: &[Candidate], evidence: &Evidence<'_>) -> Draws {
        let size = evidence.canaries.len();
        let mut draws = Draws {
            size,
            chances: Vec::new(),
            drawn: vec![
                Drawn { held: Bits::empty(size), took_part: Bits::empty(size), struck: false };
                candidates.len()
            ],
            generations: BTreeMap::new(),
            models: models(),
            values: Values::of(candidates, evidence),
        };
        let place = |store: &str| candidates.iter().position(|candidate| candidate.store == *store);
        for (number, facts) in evidence.canaries.iter().enumerate() {
            let Some(draw) = &facts.draw else { continue };
            // In which stores somebody stands who stands in all is no lot, and a row of his that came elsewhere gives nothing
            // away but the values that it shows; what a row shows of him has a lock of its own.
            if facts.value.is_none() && draw.chance >= 1.0 {
                continue;
            }
            if facts.value.is_none() {
                draws.take(number, facts.generation, draw, &place);
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
                    draws.drawn[store].struck = true;
                }
            }
        }
        // Of a feed at which nobody looked since, nobody knows what it brought.
        let coded = evidence.canaries.iter().filter(|facts| facts.draw.is_some());
        let planted = coded.flat_map(|facts| &facts.stays).map(|stay| stay.from).max();
        let looked = |store: &str| problem.audits.get(store).into_iter().flatten().any(|audit| Some(*audit) >= planted);
        for (home, fed) in reached(problem) {
            if !fed.iter().all(|store| looked(store)) {
                fed.into_iter().chain([home]).filter_map(place).for_each(|store| draws.drawn[store].struck = true);
            }
        }
        draws.chances.sort_by(|a, b| a.0.total_cmp(&b.0));
        draws
    }

    /// Takes in one whose places were drawn by lot.
    fn take(&mut self, number: usize, generation: u32, draw: &Draw, place: &dyn Fn(&str) -> Option<usize>) {
        let size = self.size;
        match self.chances.iter_mut().find(|(chance, _)| *chance == draw.chance) {
            Some((_, rows)) => rows.insert(number),
            None => {
                let mut rows = Bits::empty(size);
                rows.insert(number);
                self.chances.push((draw.chance, rows));
            }
        }
        self.generations.entry(generation).or_insert_with(|| Bits::empty(size)).insert(number);
        for store in &draw.among {
            let Some(place) = place(store) else { continue };
            self.drawn[place].took_part.insert(number);
            if draw.stores.contains(store) {
                self.drawn[place].held.insert(number);
            }
        }
    }

    /// The lock for what was seen, given who is accused.
    pub fn lock(&self, seen: &Bits, accused: &[usize]) -> Asked {
        let (mut groups, mut alike) = (Vec::new(), Vec::new());
        let drew = |store: usize, number: usize| self.drawn[store].held.contains(number);
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
        Asked { lock: Lock::new(&self.models, &groups, accused.len()), groups: alike, seen: seen.clone() }
    }

    /// ln of the candidate's value; none where it has no draw of its own. Where it stands and what its rows show were drawn
    /// apart, so that what both tell is their product.
    pub fn ln_value(&self, asked: &Asked, store: usize) -> Option<f64> {
        if self.drawn[store].struck {
            return None;
        }
        let shown = self.values.ln_value(store, &asked.seen);
        match (self.ln_value_of_places(asked, store), shown) {
            (Some(places), Some(values)) => Some(places + values),
            (places, values) => places.or(values),
        }
    }

    fn ln_value_of_places(&self, asked: &Asked, store: usize) -> Option<f64> {
        let drawn = Some(&self.drawn[store]).filter(|drawn| drawn.took_part.count() > 0)?;
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
