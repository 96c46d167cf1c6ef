//! The lock that no theft opens: of canaries whose places were drawn by lot, how much better a store's draw fits what was
//! seen than blind draws do. For a store that is no source the expectation is one, whatever the thief did, so that a large
//! value is as rare as its inverse. Nothing is assumed of the attack; the models only decide how soon the value grows.
//! It holds for what was *drawn*, never for what audits found, and only while draws are secret and independent.

use crate::attribution::{
    rules::{MOST_COPIES, Rule},
    sums::{ln_sum_exp, ln_sum_exp_sorted},
};
use statrs::distribution::{Binomial, Discrete};

/// Chance sightings, and losses, that every model allows for.
const STRAY: f64 = 1e-4;

/// The share of rows that may have been published: not known, so that each has its model.
const SHARES: [f64; 7] = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];

/// What a thief may have done: so many copies, combined by a rule, a share of the rows published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    pub rule: Rule,
    pub copies: usize,
    pub share: f64,
}

/// Coded canaries that are alike: drawn with the same chance, seen or not, and held by as many of the accused stores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    pub drawn_with: f64,
    pub seen: bool,
    /// How many of the stores accused so far drew them.
    pub accused: usize,
    pub canaries: u64,
}

/// Every rule for one to four copies, at every share.
pub fn models() -> Vec<Model> {
    let sized = |copies: usize| Rule::of_size(copies).iter().map(move |rule| (*rule, copies));
    let kinds = (1..=MOST_COPIES).flat_map(sized);
    kinds.flat_map(|(rule, copies)| SHARES.map(|share| Model { rule, copies, share })).collect()
}

impl Model {
    /// The chance that a canary is seen which a candidate drew (or not), and so many of the accused did.
    fn seen(&self, drawn: bool, group: &Group, accused: usize) -> f64 {
        let others = self.copies - 1 - accused;
        let known = usize::from(drawn) + group.accused;
        // Bin(others, p) can only be built for a proper p; a certain draw is its limit.
        let draws = Binomial::new(group.drawn_with, others as u64);
        let kept: f64 = (0..=others)
            .map(|more| {
                let chance = draws.as_ref().map_or(0.0, |draws| draws.pmf(more as u64));
                chance * self.rule.kept(known + more, self.copies)
            })
            .sum();
        STRAY + (1.0 - 2.0 * STRAY) * self.share * kept
    }

    fn of_outcome(&self, drawn: bool, group: &Group, accused: usize) -> f64 {
        let seen = self.seen(drawn, group, accused);
        if group.seen { seen } else { 1.0 - seen }
    }

    fn blind(&self, group: &Group, accused: usize) -> f64 {
        let p = group.drawn_with;
        p * self.of_outcome(true, group, accused) + (1.0 - p) * self.of_outcome(false, group, accused)
    }
}

/// Ready to be asked of any store: everything that does not depend on the store's own draw.
pub struct Lock {
    ln_shares: Vec<f64>,
    /// By model and group: ln weight of a canary that the store did not draw, and of one that it did.
    weights: Vec<Vec<[f64; 2]>>,
}

impl Lock {
    /// The models' shares follow from what was seen and the accused stores' draws, never from a candidate's.
    pub fn new(models: &[Model], groups: &[Group], accused: usize) -> Lock {
        let models: Vec<&Model> = models.iter().filter(|model| model.copies > accused).collect();
        let ln_fit = |model: &&Model| -> f64 {
            groups.iter().map(|group| group.canaries as f64 * model.blind(group, accused).ln()).sum()
        };
        let fits: Vec<f64> = models.iter().map(ln_fit).collect();
        let whole = ln_sum_exp_sorted(fits.clone());
        let weight = |model: &Model, group: &Group| {
            let blind = model.blind(group, accused).ln();
            [false, true].map(|drawn| model.of_outcome(drawn, group, accused).ln() - blind)
        };
        Lock {
            ln_shares: fits.iter().map(|fit| fit - whole).collect(),
            weights: models.iter().map(|model| groups.iter().map(|group| weight(model, group)).collect()).collect(),
        }
    }

    /// ln of the store's value, when it drew so many of each group and left so many others: `[left, drawn]`. Where it took
    /// no part in a draw it did neither. None where there is no model or no coded canary.
    pub fn ln_value(&self, counts: &[[u64; 2]]) -> Option<f64> {
        if self.ln_shares.is_empty() || counts.is_empty() {
            return None;
        }
        let terms: Vec<f64> = self
            .ln_shares
            .iter()
            .zip(&self.weights)
            .map(|(share, weights)| {
                let of = |([not, yes], [left, drawn]): (&[f64; 2], &[u64; 2])| *drawn as f64 * yes + *left as f64 * not;
                share + weights.iter().zip(counts).map(of).sum::<f64>()
            })
            .collect();
        Some(ln_sum_exp(&terms))
    }

    /// ln of each model's share, in the models' order, those left out that have too few copies.
    pub fn ln_shares(&self) -> &[f64] {
        &self.ln_shares
    }

    /// By model and group: ln weight of a canary not drawn, and drawn.
    pub fn weights(&self) -> &[Vec<[f64; 2]>] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Lock, Model, models};
    use crate::attribution::rules::Rule;

    fn model(rule: Rule, copies: usize) -> Model {
        Model { rule, copies, share: 1.0 }
    }

    fn close(found: f64, golden: f64, digits: i32) {
        assert!((found - golden).abs() < 10f64.powi(-digits), "{found} is not {golden}");
    }

    #[test]
    fn agrees_with_the_golden_intersection_of_two() {
        let inter = model(Rule::Intersection, 2);
        let group = Group { drawn_with: 0.8, seen: true, accused: 0, canaries: 1 };
        close(inter.seen(true, &group, 0), 0.79994, 12);
        close(inter.seen(false, &group, 0), 0.0001, 12);
        close(inter.blind(&group, 0), 0.639972, 12);
        let unseen = Group { seen: false, ..group };
        let lock = Lock::new(&[inter], &[group, unseen], 0);
        let [[not, yes], [not_unseen, yes_unseen]] = lock.weights()[0][..] else { panic!("two groups") };
        close(yes, 0.2231122995, 10);
        close(not, -8.7640095184, 10);
        close(yes_unseen, -0.5875644846, 10);
        close(not_unseen, 1.0214734678, 10);
        let blind = 0.639972;
        close(0.8 * blind * yes.exp() + 0.2 * blind * not.exp(), blind, 12);
    }

    /// V6: twelve coded canaries, three draws.
    const P: [f64; 12] = [0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8];
    const A: &str = "101101110111";
    const B: &str = "100111101111";
    const C: &str = "001011111011";

    fn bits(text: &str) -> Vec<bool> {
        text.chars().map(|letter| letter == '1').collect()
    }

    fn nine() -> Vec<Model> {
        let all = [Rule::Union, Rule::Intersection, Rule::Interleave, Rule::Coin];
        let of = |copies| all.map(|rule| model(rule, copies));
        [model(Rule::Union, 1)].into_iter().chain(of(2)).chain(of(3)).chain([model(Rule::Majority, 3)]).collect()
    }

    fn groups(seen: &[bool], accused: &[bool]) -> Vec<Group> {
        let of = |((p, seen), accused): ((&f64, &bool), &bool)| Group {
            drawn_with: *p,
            seen: *seen,
            accused: usize::from(*accused),
            canaries: 1,
        };
        P.iter().zip(seen).zip(accused).map(of).collect()
    }

    fn ln_value(lock: &Lock, drawn: &[bool]) -> f64 {
        lock.ln_value(&drawn.iter().map(|bit| [u64::from(!bit), u64::from(*bit)]).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn agrees_with_the_golden_two_looks() {
        let (a, b, c) = (bits(A), bits(B), bits(C));
        let seen: Vec<bool> = a.iter().zip(&b).map(|(a, b)| *a && *b).collect();
        let first = Lock::new(&nine(), &groups(&seen, &[false; 12]), 0);
        close(first.ln_shares()[2], -3.410011488, 9);
        close(ln_value(&first, &a), 2.258733425659, 9);
        close(ln_value(&first, &b), 1.997986954187, 9);
        close(ln_value(&first, &c), -2.784052635455, 9);
        // Over every draw there is, the expectation is one; of the square it is not.
        let (mut mean, mut square) = (0.0, 0.0);
        for number in 0..1u32 << 12 {
            let drawn: Vec<bool> = (0..12).map(|place| number >> place & 1 == 1).collect();
            let chance: f64 = drawn.iter().zip(P).map(|(bit, p)| if *bit { p } else { 1.0 - p }).product();
            let value = ln_value(&first, &drawn).exp();
            mean += chance * value;
            square += chance * value * value;
        }
        close(mean, 1.0, 9);
        close(square, 142.943, 3);
        let second = Lock::new(&nine(), &groups(&seen, &a), 1);
        assert_eq!(second.ln_shares().len(), 9);
        close(second.ln_shares()[1], -1.442332689, 9);
        close(ln_value(&second, &b), 4.297245311457, 9);
        close(ln_value(&second, &c), -2.986150870895, 9);
    }

    #[test]
    fn agrees_with_the_golden_three_stores() {
        let theta = [model(Rule::Union, 1), model(Rule::Union, 2), model(Rule::Intersection, 2)];
        let group = |p, seen| Group { drawn_with: p, seen, accused: 0, canaries: 1 };
        // Coded 0, 1, 2; 0 and 2 were seen.
        let lock = Lock::new(&theta, &[group(0.25, true), group(0.5, false), group(0.8, true)], 0);
        let golden = [-0.8545674073, -0.8057695072, -2.057376588];
        lock.ln_shares().iter().zip(golden).for_each(|(share, golden)| close(*share, golden, 9));
        close(ln_value(&lock, &bits("101")), 1.97828859702, 9);
        close(ln_value(&lock, &bits("011")), -8.19308445943, 9);
        close(ln_value(&lock, &bits("010")), -9.37151061118, 9);
    }

    #[test]
    fn too_few_copies_leave_no_model() {
        let group = Group { drawn_with: 0.5, seen: true, accused: 4, canaries: 3 };
        assert_eq!(Lock::new(&models(), &[group], 4).ln_value(&[[2, 1]]), None);
        assert_eq!(Lock::new(&models(), &[], 0).ln_value(&[]), None);
    }
}
