//! How probable the sightings of one class are, if a given set of canaries was in the copy.
//! Integers in, logarithms out: the rate at which leaked canaries are seen is integrated over a prior.

use crate::attribution::{
    priors::Prior,
    sums::{ln_add_exp, ln_sum_exp},
};

/// The modelled rate of false sightings: a canary is seen that was not in the copy. Ghosts show it to be far lower;
/// it is kept this high so that one stray sighting never decides.
pub const FALSE_SIGHTING: f64 = 1e-4;

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

struct Node {
    ln_weight: f64,
    ln_seen: f64,
    ln_unseen: f64,
}

/// The likelihood of one class, ready to be asked many times.
pub struct Likelihood {
    nodes: Vec<Node>,
    ln_false: f64,
    ln_quiet: f64,
}

fn ln_clamped(ln: f64) -> f64 {
    ln.clamp(LEAST_PROBABILITY.ln(), (-LEAST_PROBABILITY).ln_1p())
}

impl Likelihood {
    /// With a prior of the rate of sighting, and a rate of false sightings.
    pub fn new(prior: &Prior, false_sighting: f64) -> Self {
        let phi = false_sighting.max(LEAST_FALSE_SIGHTING);
        let (ln_false, ln_quiet) = (phi.ln(), (-phi).ln_1p());
        let nodes = prior
            .nodes()
            .iter()
            .map(|(rate, weight)| {
                let rate = rate.min(GREATEST_RATE);
                Node {
                    ln_weight: weight.ln(),
                    ln_seen: ln_clamped(ln_add_exp(ln_false, ln_quiet + rate.ln())),
                    ln_unseen: ln_clamped(ln_quiet + (-rate).ln_1p()),
                }
            })
            .collect();
        Likelihood { nodes, ln_false, ln_quiet }
    }

    /// ln of the probability of what was seen and what was not.
    pub fn ln(&self, counts: Counts) -> f64 {
        let (seen, unseen) = (counts.seen_in as f64, (counts.in_copy - counts.seen_in) as f64);
        let outside = counts.seen_out as f64 * self.ln_false
            + (counts.all - counts.in_copy - counts.seen_out) as f64 * self.ln_quiet;
        let terms: Vec<f64> =
            self.nodes.iter().map(|node| node.ln_weight + seen * node.ln_seen + unseen * node.ln_unseen).collect();
        ln_sum_exp(&terms) + outside
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Likelihood};
    use crate::attribution::priors::Prior;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_golden_single_rate() {
        let counts = Counts { all: 960, in_copy: 60, seen_in: 5, seen_out: 1 };
        let ln = Likelihood::new(&Prior::fixed(&[(0.1, 1.0)]), 1e-4).ln(counts);
        assert!((ln - -26.609000992231).abs() < 1e-11, "{ln}");
    }

    #[test]
    fn agrees_with_the_golden_log_uniform_marginals() {
        // The golden values have no false sightings and end at rate 1: the floor and the cap move the third decimal.
        let likelihood = Likelihood::new(&Prior::log_uniform(1e-3, 60), 0.0);
        for (seen_in, golden) in [(3, -13.471855359937), (5, -19.055318884029)] {
            let ln = likelihood.ln(Counts { all: 60, in_copy: 60, seen_in, seen_out: 0 });
            assert!((ln - golden).abs() < 0.01, "{seen_in}: {ln}");
        }
    }

    #[test]
    fn agrees_with_the_exact_beta_marginal() {
        // Golden: ln B(6, 56), with every rate as likely; and one that a grid even in ln ρ gets wrong by 40 nats.
        let flat = Likelihood::new(&Prior::beta(1.0, 1.0, 4_000), 0.0);
        let ln = flat.ln(Counts { all: 60, in_copy: 60, seen_in: 5, seen_out: 0 });
        assert!((ln - -19.624110096635).abs() < 0.01, "{ln}");
        let steep = Likelihood::new(&Prior::beta(9_990.5, 10.5, 64), 0.0);
        let ln = steep.ln(Counts { all: 60, in_copy: 60, seen_in: 58, seen_out: 0 });
        // The cap on the rate moves the exact -13.70 a little.
        assert!((ln - -13.70).abs() < 0.15, "{ln}");
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
