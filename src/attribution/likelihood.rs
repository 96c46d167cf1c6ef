//! How probable the sightings of one class are, if a given set of canaries was in the copy.
//! Integers in, logarithms out: the rate at which leaked canaries are seen is integrated over a prior.

use crate::{
    attribution::{
        priors::Prior,
        rules::CHANCES,
        sums::{ln_add_exp, ln_sum_exp},
    },
    domain::sighting::Class,
};

/// The modelled rate of false sightings: a canary is seen that was not in the copy. Ghosts show it to be far lower;
/// it is kept this high so that one stray sighting never decides.
pub const FALSE_SIGHTING: f64 = 1e-4;

/// The same of what fetches links by itself: documents are scanned and passed around within a house that lost nothing.
const FALSE_PREVIEW: f64 = 1e-2;

/// The modelled rate of false sightings of a class.
pub fn false_sighting(class: Class) -> f64 {
    if class == Class::Preview { FALSE_PREVIEW } else { FALSE_SIGHTING }
}

/// No modelled rate of false sightings goes below this, whatever the arithmetic of a marker's length says.
const LEAST_FALSE_SIGHTING: f64 = 1e-6;

/// No canary is certain to be seen: planting and recognition fail too.
const GREATEST_RATE: f64 = 1.0 - 1e-3;

const LEAST_PROBABILITY: f64 = 1e-12;

/// What a hypothesis makes of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Canaries that the class could show, ghosts among them.
    pub all: u64,
    /// Those that the copy holds.
    pub in_copy: u64,
    /// Seen, and in the copy.
    pub seen_in: u64,
    /// Seen, and not in the copy.
    pub seen_out: u64,
}

/// Canaries of one class that a combination of copies keeps with the same chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The place of that chance among `CHANCES`.
    pub chance: usize,
    pub canaries: u64,
    pub seen: u64,
}

/// ln of the chance that a canary of the copy is seen, and that it is not, at each rate.
struct Rates {
    ln_seen: Vec<f64>,
    ln_unseen: Vec<f64>,
}

/// The likelihood of one class, ready to be asked many times.
pub struct Likelihood {
    ln_weights: Vec<f64>,
    /// For each of `CHANCES`; only the first for a single copy.
    rates: Vec<Rates>,
    ln_false: f64,
    ln_quiet: f64,
}

fn ln_clamped(ln: f64) -> f64 {
    ln.clamp(LEAST_PROBABILITY.ln(), (-LEAST_PROBABILITY).ln_1p())
}

impl Likelihood {
    /// Of a single copy, with a prior of the rate of sighting, and a rate of false sightings.
    pub fn new(prior: &Prior, false_sighting: f64) -> Self {
        Likelihood::with(prior, false_sighting, &CHANCES[..1])
    }

    /// Of several copies that a thief combined.
    pub fn combined(prior: &Prior, false_sighting: f64) -> Self {
        Likelihood::with(prior, false_sighting, &CHANCES)
    }

    fn with(prior: &Prior, false_sighting: f64, chances: &[f64]) -> Self {
        let phi = false_sighting.max(LEAST_FALSE_SIGHTING);
        let (ln_false, ln_quiet) = (phi.ln(), (-phi).ln_1p());
        let rates = |chance: &f64| {
            let capped = prior.nodes().iter().map(|(rate, _)| rate.min(GREATEST_RATE) * chance);
            Rates {
                ln_seen: capped.clone().map(|rate| ln_clamped(ln_add_exp(ln_false, ln_quiet + rate.ln()))).collect(),
                ln_unseen: capped.map(|rate| ln_clamped(ln_quiet + (-rate).ln_1p())).collect(),
            }
        };
        Likelihood {
            ln_weights: prior.nodes().iter().map(|(_, weight)| weight.ln()).collect(),
            rates: chances.iter().map(rates).collect(),
            ln_false,
            ln_quiet,
        }
    }

    /// ln of the probability of what was seen and what was not.
    pub fn ln(&self, counts: Counts) -> f64 {
        let level = Level { chance: 0, canaries: counts.in_copy, seen: counts.seen_in };
        self.ln_levels(&[level], counts.all, counts.seen_in + counts.seen_out)
    }

    /// The same for a combination of copies: `all` canaries could be seen, `seen` were, and these levels are in the copies.
    pub fn ln_levels(&self, levels: &[Level], all: u64, seen: u64) -> f64 {
        let mut terms = self.ln_weights.clone();
        let (mut quiet, mut stray) = (all - seen, seen);
        for level in levels.iter().filter(|level| level.canaries > 0) {
            let rates = &self.rates[level.chance];
            let (seen, unseen) = (level.seen as f64, (level.canaries - level.seen) as f64);
            stray -= level.seen;
            quiet -= level.canaries - level.seen;
            for ((term, ln_seen), ln_unseen) in terms.iter_mut().zip(&rates.ln_seen).zip(&rates.ln_unseen) {
                *term += seen * ln_seen + unseen * ln_unseen;
            }
        }
        ln_sum_exp(&terms) + stray as f64 * self.ln_false + quiet as f64 * self.ln_quiet
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Level, Likelihood};
    use crate::attribution::priors::Prior;
    use proptest::prelude::*;
    use statrs::function::beta::{beta_reg, ln_beta};

    #[test]
    fn agrees_with_the_golden_single_rate() {
        let counts = Counts { all: 960, in_copy: 60, seen_in: 5, seen_out: 1 };
        let ln = Likelihood::new(&Prior::fixed(&[(0.1, 1.0)]), 1e-4).ln(counts);
        assert!((ln - -26.609000992231).abs() < 1e-11, "{ln}");
    }

    /// ln of the probability of a particular outcome, when every rate between `low` and one is as likely as another (flat), or
    /// every order of magnitude: by closed forms, which the grid must come close to.
    fn ln_closed(seen: f64, unseen: f64, low: Option<f64>) -> f64 {
        match low {
            None => ln_beta(seen + 1.0, unseen + 1.0),
            Some(low) => {
                let above = 1.0 - beta_reg(seen, unseen + 1.0, low);
                ln_beta(seen, unseen + 1.0) + above.ln() - (1.0 / low).ln().ln()
            }
        }
    }

    #[test]
    fn comes_close_to_the_golden_log_uniform_marginals() {
        // The closed forms agree to every digit; the floor of false sightings and the cap on rates move ours a little.
        let likelihood = Likelihood::new(&Prior::log_uniform(1e-3, 60), 0.0);
        for (seen_in, golden) in [(3, -13.471855359937), (5, -19.055318884029)] {
            let exact = ln_closed(seen_in as f64, 60.0 - seen_in as f64, Some(1e-3));
            assert!((exact - golden).abs() < 1e-9, "{exact} is not {golden}");
            let ln = likelihood.ln(Counts { all: 60, in_copy: 60, seen_in, seen_out: 0 });
            assert!((ln - golden).abs() < 0.01, "{seen_in}: {ln}");
        }
        // Nodes even in ln ρ would be 24 nats off here.
        let whole = Likelihood::new(&Prior::log_uniform(1e-3, 1_000), 0.0);
        let ln = whole.ln(Counts { all: 1_000, in_copy: 1_000, seen_in: 990, seen_out: 0 });
        assert!((ln - ln_closed(990.0, 10.0, Some(1e-3))).abs() < 0.01, "{ln}");
    }

    #[test]
    fn comes_close_to_the_golden_beta_marginals() {
        let exact = ln_closed(5.0, 55.0, None);
        assert!((exact - -19.624110096635).abs() < 1e-9, "{exact}");
        let flat = Likelihood::new(&Prior::beta(1.0, 1.0, 4_000), 0.0);
        let ln = flat.ln(Counts { all: 60, in_copy: 60, seen_in: 5, seen_out: 0 });
        assert!((ln - exact).abs() < 0.01, "{ln}");
        let steep = Likelihood::new(&Prior::beta(9_990.5, 10.5, 64), 0.0);
        let ln = steep.ln(Counts { all: 60, in_copy: 60, seen_in: 58, seen_out: 0 });
        // The cap on the rate moves the exact -13.70 a little.
        assert!((ln - -13.70).abs() < 0.15, "{ln}");
    }

    #[test]
    fn a_combination_is_its_levels_each_with_its_chance() {
        // At one rate the product is written out.
        let (rho, phi) = (0.4f64, 1e-4f64);
        let combined = Likelihood::combined(&Prior::fixed(&[(rho, 1.0)]), phi);
        let levels = [Level { chance: 0, canaries: 7, seen: 3 }, Level { chance: 1, canaries: 9, seen: 2 }];
        let found = combined.ln_levels(&levels, 100, 6);
        let seen = |rate: f64| (phi + (1.0 - phi) * rate).ln();
        let unseen = |rate: f64| ((1.0 - phi) * (1.0 - rate)).ln();
        let by_hand = 3.0 * seen(rho)
            + 4.0 * unseen(rho)
            + 2.0 * seen(rho / 2.0)
            + 7.0 * unseen(rho / 2.0)
            + phi.ln()
            + 83.0 * (1.0 - phi).ln();
        assert!((found - by_hand).abs() < 1e-9, "{found} is not {by_hand}");
    }

    #[test]
    fn a_single_missing_canary_never_decides() {
        let likelihood = Likelihood::new(&Prior::fixed(&[(1.0, 1.0)]), 1e-4);
        let whole = likelihood.ln(Counts { all: 60, in_copy: 60, seen_in: 60, seen_out: 0 });
        let but_one = likelihood.ln(Counts { all: 60, in_copy: 60, seen_in: 59, seen_out: 0 });
        assert!((whole - but_one - 6.9).abs() < 0.05, "{}", whole - but_one);
    }

    proptest! {
        #[test]
        fn is_a_number_for_any_counts(seen_in in 0u64..500, unseen in 0u64..500, seen_out in 0u64..500, quiet in 0u64..1_000_000) {
            let in_copy = seen_in + unseen;
            let counts = Counts { all: in_copy + seen_out + quiet, in_copy, seen_in, seen_out };
            let ln = Likelihood::new(&Prior::log_uniform(1e-3, in_copy), 1e-4).ln(counts);
            prop_assert!(ln.is_finite() && ln <= 1e-9, "{ln}");
        }
    }
}
