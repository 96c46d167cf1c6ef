//! Copies that a thief combined: which combinations are tried, and how well each explains what was seen. Not all can be
//! tried where stores are many: then the best of a size are enlarged by one store at a time, and the verdict's (ii) sees the
//! best that was found.

use crate::attribution::{
    bits::Bits,
    copies::Candidate,
    hypotheses::{Coalition, Hypothesis, Watched, ln_copy},
    likelihood::Level,
    rules::{MOST_COPIES, Rule},
    sums::ln_sum_exp_sorted,
};
use std::collections::{BTreeMap, BTreeSet};

/// Pairs are tried among so many stores, the best on their own; larger combinations among fewer.
const PAIRED_STORES: usize = 40;
const COMBINED_STORES: usize = 25;
/// Up to so many combinations of a size, all are tried.
const ALL_TRIED: usize = 2_500;
/// Else so many of each rule are enlarged.
const BEAM: usize = 50;

/// Which copies may be combined: the best epochs of each store, best first.
pub struct Scorer<'a> {
    candidates: &'a [Candidate],
    watched: &'a [Watched],
    /// By store: its epochs by their own likelihood.
    ranked: Vec<Vec<usize>>,
    /// By store: its epochs that are near the best.
    near: Vec<Vec<usize>>,
    /// Stores that ever held a canary.
    stores: usize,
}

/// How near, in nats: twice what one canary can do, and what is lost in the sum anyway.
const NEAR: f64 = 60.0;

impl<'a> Scorer<'a> {
    /// `epochs` are ln of prior times likelihood of each store's copies.
    pub fn new(candidates: &'a [Candidate], watched: &'a [Watched], epochs: &[Vec<f64>]) -> Self {
        let ranked: Vec<Vec<usize>> = epochs
            .iter()
            .map(|lns| {
                let mut numbers: Vec<usize> = (0..lns.len()).collect();
                numbers.sort_by(|a, b| lns[*b].total_cmp(&lns[*a]).then(a.cmp(b)));
                numbers
            })
            .collect();
        let stores = ranked.iter().filter(|epochs| !epochs.is_empty()).count();
        let near = |(ranked, lns): (&Vec<usize>, &Vec<f64>)| -> Vec<usize> {
            let best = ranked.first().map_or(0.0, |best| lns[*best]);
            ranked.iter().copied().filter(|epoch| lns[*epoch] >= best - NEAR).collect()
        };
        let near = ranked.iter().zip(epochs).map(near).collect();
        Scorer { candidates, watched, ranked, near, stores }
    }

    /// Over nearly the same evidence, the same copies.
    pub fn seeing<'b>(&'b self, watched: &'b [Watched]) -> Scorer<'b> {
        Scorer { watched, ranked: self.ranked.clone(), near: self.near.clone(), ..*self }
    }

    /// ln of prior times likelihood of each store's copies; those that one canary cannot bring near the best are left out.
    pub fn epochs(&self) -> Vec<Vec<f64>> {
        let of = |(store, near): (usize, &Vec<usize>)| {
            near.iter().map(|epoch| ln_copy(self.watched, store, &self.candidates[store].copies[*epoch])).collect()
        };
        self.near.iter().enumerate().map(of).collect()
    }

    /// ln likelihood of one combination.
    pub fn ln(&self, coalition: Coalition) -> f64 {
        self.lns(coalition.stores(), &[coalition.rule()])[0]
    }

    /// How many epochs of each store are combined.
    fn deep(&self, size: usize) -> usize {
        match size {
            2 if self.stores <= 12 => 4,
            2 => 2,
            _ if self.stores <= 6 => 2,
            _ => 1,
        }
    }

    /// ln likelihood of these stores' copies under each of these rules.
    fn lns(&self, stores: &[u16], rules: &[Rule]) -> Vec<f64> {
        let deep = self.deep(stores.len());
        let mut terms: Vec<Vec<f64>> = vec![Vec::new(); rules.len()];
        let epochs: Vec<&[usize]> = stores
            .iter()
            .map(|store| {
                let ranked = &self.ranked[usize::from(*store)];
                &ranked[..ranked.len().min(deep)]
            })
            .collect();
        let combinations: usize = epochs.iter().map(|epochs| epochs.len()).product();
        for combination in 0..combinations {
            let mut rest = combination;
            let mut ln_prior = 0.0;
            let mut sets: Vec<&Bits> = Vec::with_capacity(stores.len());
            for (store, epochs) in stores.iter().zip(&epochs) {
                let copy = &self.candidates[usize::from(*store)].copies[epochs[rest % epochs.len()]];
                rest /= epochs.len();
                ln_prior += copy.ln_prior;
                sets.push(&copy.holds);
            }
            let mut sums = vec![ln_prior; rules.len()];
            for class in self.watched {
                let held = Held::of(&sets, class);
                for (rule, sum) in rules.iter().zip(&mut sums) {
                    *sum += held.ln(class, *rule, sets.len());
                }
            }
            terms.iter_mut().zip(sums).for_each(|(terms, sum)| terms.push(sum));
        }
        terms.into_iter().map(ln_sum_exp_sorted).collect()
    }

    /// Every combination of two to four stores that is tried. `kept` stores may never be left out.
    pub fn search(&self, singles: &[f64], kept: &[usize]) -> Vec<(Hypothesis, f64)> {
        let mut order: Vec<u16> =
            (0..self.ranked.len() as u16).filter(|store| !self.ranked[usize::from(*store)].is_empty()).collect();
        order.sort_by(|a, b| singles[usize::from(*b)].total_cmp(&singles[usize::from(*a)]).then(a.cmp(b)));
        let best = |count: usize| -> Vec<u16> {
            let mut chosen: BTreeSet<u16> = order.iter().take(count).copied().collect();
            chosen.extend(kept.iter().map(|store| *store as u16).filter(|store| order.contains(store)));
            chosen.into_iter().collect()
        };
        let mut found = Vec::new();
        let mut before: BTreeMap<Rule, Vec<(f64, Vec<u16>)>> = BTreeMap::new();
        for size in 2..=MOST_COPIES {
            let stores = best(if size == 2 { PAIRED_STORES } else { COMBINED_STORES });
            if stores.len() < size {
                break;
            }
            let sets = if size == 2 || choices(stores.len(), size) <= ALL_TRIED {
                subsets(&stores, size)
            } else {
                enlarged(&before, &stores)
            };
            let mut by_rule: BTreeMap<Rule, Vec<(f64, Vec<u16>)>> = BTreeMap::new();
            for set in sets {
                let rules = Rule::of_size(size);
                for (rule, ln) in rules.iter().zip(self.lns(&set, rules)) {
                    found.push((Hypothesis::Copies(Coalition::new(&set, *rule)), ln));
                    by_rule.entry(*rule).or_default().push((ln, set.clone()));
                }
            }
            for best in by_rule.values_mut() {
                best.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
                best.truncate(BEAM);
            }
            before = by_rule;
        }
        found
    }
}

fn choices(stores: usize, size: usize) -> usize {
    (0..size).fold(1, |product, taken| product * (stores - taken) / (taken + 1))
}

fn subsets(stores: &[u16], size: usize) -> Vec<Vec<u16>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for (place, first) in stores.iter().enumerate() {
        for mut rest in subsets(&stores[place + 1..], size - 1) {
            rest.insert(0, *first);
            found.push(rest);
        }
    }
    found
}

/// The best of the size before, each with every store more.
fn enlarged(before: &BTreeMap<Rule, Vec<(f64, Vec<u16>)>>, stores: &[u16]) -> Vec<Vec<u16>> {
    let mut sets = BTreeSet::new();
    for (_, set) in before.values().flatten() {
        for store in stores.iter().filter(|store| !set.contains(store)) {
            let mut larger = set.clone();
            larger.push(*store);
            larger.sort_unstable();
            sets.insert(larger);
        }
    }
    sets.into_iter().collect()
}

/// How many canaries of a class so many of the copies hold, and how many of these were seen.
struct Held {
    canaries: [u64; MOST_COPIES + 1],
    seen: [u64; MOST_COPIES + 1],
}

impl Held {
    fn of(sets: &[&Bits], class: &Watched) -> Held {
        let mut held = Held { canaries: [0; MOST_COPIES + 1], seen: [0; MOST_COPIES + 1] };
        let words = class.evidence.showable.words().iter().zip(class.evidence.seen.words());
        for (place, (showable, seen)) in words.enumerate() {
            // A counter of three bits for each of 64 canaries.
            let (mut ones, mut twos, mut fours) = (0u64, 0u64, 0u64);
            for set in sets {
                let word = set.words()[place];
                let carry = ones & word;
                ones ^= word;
                fours |= twos & carry;
                twos ^= carry;
            }
            let exact = [0, ones & !twos, twos & !ones, ones & twos, fours];
            for (holders, exact) in exact.into_iter().enumerate().take(sets.len() + 1).skip(1) {
                held.canaries[holders] += u64::from((exact & showable).count_ones());
                held.seen[holders] += u64::from((exact & seen).count_ones());
            }
        }
        held
    }

    fn ln(&self, class: &Watched, rule: Rule, size: usize) -> f64 {
        let levels: Vec<Level> = (1..=size)
            .filter_map(|holders| {
                let chance = rule.chance(holders, size)?;
                Some(Level { chance, canaries: self.canaries[holders], seen: self.seen[holders] })
            })
            .collect();
        class.ln_combined(&levels)
    }
}
