//! The second lock: of people who stand in every store, the values that differ from store to store. Each store drew one of a
//! few values for a column of such a person, all equally likely; a row that shows some of them bets on the stores that drew
//! these. Whatever rows were merged, dropped or edited, the bet's mean over blind draws is one: a store that is no source
//! gains by it as seldom as by any fair bet. It holds for what was drawn, never for what audits found.

use crate::attribution::{bits::Bits, copies::Candidate, evidence::Evidence, problem::ValueOf, sums::ln_sum_exp};
use std::collections::BTreeMap;

/// How much of the stake goes on what is shown. A source's own values may be few among those of others: so each share has its
/// part of the whole. None is all of it, for one row that says otherwise would end the bet.
const STAKES: [f64; 7] = [0.98, 0.9, 0.7, 0.5, 0.3, 0.1, 0.03];

/// What one store drew of one column of one person.
#[derive(Clone, Debug)]
struct Pool {
    /// All that it could have drawn.
    values: Vec<usize>,
    drawn: usize,
}

/// One column of one person, as the material shows it: out of so many values that the store could have drawn, so many are
/// shown, and the one that it drew is among them or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    pub of: usize,
    pub shown: usize,
    pub drawn: bool,
}

/// The draws of values, of every candidate.
#[derive(Clone, Debug)]
pub struct Values(Vec<Vec<Pool>>);

impl Values {
    /// Reads them off the register.
    pub fn of(candidates: &[Candidate], evidence: &Evidence<'_>) -> Values {
        let of_store = |Candidate { store, .. }: &Candidate| {
            let mut pools: BTreeMap<ValueOf, [Vec<usize>; 2]> = BTreeMap::new();
            for (number, facts) in evidence.canaries.iter().enumerate() {
                let (Some(of), Some(draw)) = (facts.value, &facts.draw) else { continue };
                if draw.among.contains(store) {
                    pools.entry(of).or_default()[usize::from(draw.stores.contains(store))].push(number);
                }
            }
            // The lots of one pool are one journal entry: just one of them is drawn.
            let whole = |[others, drawn]: [Vec<usize>; 2]| match drawn[..] {
                [drawn] => Some(Pool { values: [others, vec![drawn]].concat(), drawn }),
                _ => None,
            };
            pools.into_values().filter_map(whole).collect()
        };
        Values(candidates.iter().map(of_store).collect())
    }

    /// ln of the candidate's value, given what was seen; none where nothing that it could have drawn was. What other stores
    /// drew does not matter, nor who is accused: what two have in common speaks for both.
    pub fn ln_value(&self, store: usize, seen: &Bits) -> Option<f64> {
        let shown = |pool: &Pool| {
            let shown = pool.values.iter().filter(|number| seen.contains(**number)).count();
            Shown { of: pool.values.len(), shown, drawn: seen.contains(pool.drawn) }
        };
        let mut counts: BTreeMap<Shown, u64> = BTreeMap::new();
        for shown in self.0[store].iter().map(shown).filter(|shown| shown.shown > 0) {
            *counts.entry(shown).or_default() += 1;
        }
        (!counts.is_empty()).then(|| ln_bet(&counts))
    }
}

/// ln of what the stake has become: for each share of it, what stays aside and what was won on the value drawn, the odds being
/// what blind chance makes them. Over all draws each factor has the mean one, whatever is shown.
pub fn ln_bet(counts: &BTreeMap<Shown, u64>) -> f64 {
    let of = |stake: f64| {
        let factor = |shown: &Shown| {
            let odds = shown.of as f64 / shown.shown as f64;
            if shown.drawn { 1.0 - stake + stake * odds } else { 1.0 - stake }
        };
        counts.iter().map(|(shown, count)| *count as f64 * factor(shown).ln()).sum::<f64>()
    };
    ln_sum_exp(&STAKES.map(of)) - (STAKES.len() as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::{Shown, ln_bet};
    use std::collections::BTreeMap;

    fn counts(shown: impl IntoIterator<Item = Shown>) -> BTreeMap<Shown, u64> {
        let mut counts = BTreeMap::new();
        shown.into_iter().for_each(|shown| *counts.entry(shown).or_default() += 1);
        counts
    }

    /// Every draw there is of five columns of which so many values are shown.
    fn mean(shown: [(usize, usize); 5]) -> f64 {
        let all: usize = shown.iter().map(|(of, _)| of).product();
        let value = |number: usize| {
            let mut rest = number;
            let drawn = shown.map(|(of, shown)| {
                let drawn = rest % of < shown;
                rest /= of;
                Shown { of, shown, drawn }
            });
            ln_bet(&counts(drawn)).exp()
        };
        (0..all).map(value).sum::<f64>() / all as f64
    }

    #[test]
    fn the_mean_over_every_draw_is_one_whatever_is_shown() {
        for shown in [
            [(2, 1), (2, 1), (8, 1), (8, 1), (8, 1)],
            [(2, 2), (2, 1), (8, 2), (8, 7), (3, 2)],
            [(2, 2), (2, 2), (8, 8), (4, 4), (3, 3)],
        ] {
            assert!((mean(shown) - 1.0).abs() < 1e-12, "{shown:?}: {}", mean(shown));
        }
    }

    #[test]
    fn few_rows_that_agree_are_worth_as_much_as_they_are_rare() {
        let rows = |of, drawn, count| (0..count).map(move |_| Shown { of, shown: 1, drawn });
        let log10 = |counts: &BTreeMap<Shown, u64>| ln_bet(counts) / std::f64::consts::LN_10;
        // Ten of eight, or thirty of two, pass the bound for some hundred stores.
        assert!(log10(&counts(rows(8, true, 10))) > 8.0 && log10(&counts(rows(2, true, 30))) > 7.8);
        // An edited row, or two, ends no bet; nor do rows of another copy, taken in turn.
        assert!(log10(&counts(rows(8, true, 20).chain(rows(8, false, 2)))) > 12.0);
        assert!(log10(&counts(rows(8, true, 30).chain(rows(8, false, 30)))) > 7.8);
        assert!(log10(&counts(rows(8, true, 3).chain(rows(8, false, 40)))) < 1.0);
    }
}
