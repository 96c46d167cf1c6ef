//! What is thought of the rate at which leaked canaries are seen, before anything was: a few rates with weights.

use statrs::distribution::{Beta, ContinuousCDF};

/// Where the grid ends: at the rate that no channel exceeds.
const TOP: f64 = 0.999;

/// Rates that a leak may be thinned by, when canaries survive less well than real rows.
const SURVIVALS: [f64; 3] = [1.0, 0.5, 0.2];

/// Rates of sighting, each with its weight; weights add up to one.
#[derive(Clone, Debug)]
pub struct Prior(Vec<(f64, f64)>);

impl Prior {
    /// Every order of magnitude between `low` and one is as likely as another. The nodes are even in the logit, and
    /// close enough for `canaries` in the copy.
    pub fn log_uniform(low: f64, canaries: u64) -> Self {
        let count = (4.0 * (canaries as f64).sqrt()).ceil().max(64.0) as usize;
        let (start, end) = (logit(low), logit(TOP));
        let step = (end - start) / (count - 1) as f64;
        let nodes = (0..count).map(|i| {
            let rate = 1.0 / (1.0 + (-(start + step * i as f64)).exp());
            let half = if i == 0 || i == count - 1 { 0.5 } else { 1.0 };
            // dρ/ρ = (1−ρ) d logit ρ
            (rate, half * (1.0 - rate))
        });
        Prior::weighed(nodes.collect())
    }

    /// A beta distribution, as quantiles of equal weight.
    pub fn beta(a: f64, b: f64, count: usize) -> Self {
        match Beta::new(a, b) {
            Ok(beta) => {
                Prior::weighed((0..count).map(|i| (beta.inverse_cdf((i as f64 + 0.5) / count as f64), 1.0)).collect())
            }
            Err(_) => Prior::log_uniform(1e-3, 0),
        }
    }

    /// What the share of real rows that leaked says of the canaries' share; they may survive less well.
    pub fn real_rows(leaked: u64, held: u64) -> Self {
        let leaked = leaked.min(held);
        let Prior(rows) = Prior::beta(leaked as f64 + 0.5, (held - leaked) as f64 + 0.5, 64);
        Prior::weighed(
            SURVIVALS.iter().flat_map(|survival| rows.iter().map(move |(rate, _)| (rate * survival, 1.0))).collect(),
        )
    }

    /// Exactly these rates and weights.
    pub fn fixed(nodes: &[(f64, f64)]) -> Self {
        Prior::weighed(nodes.to_vec())
    }

    /// The rates and their weights.
    pub fn nodes(&self) -> &[(f64, f64)] {
        &self.0
    }

    fn weighed(mut nodes: Vec<(f64, f64)>) -> Self {
        let sum: f64 = nodes.iter().map(|(_, weight)| weight).sum();
        nodes.iter_mut().for_each(|(rate, weight)| {
            *rate = rate.max(f64::MIN_POSITIVE);
            *weight /= sum;
        });
        Prior(nodes)
    }
}

fn logit(rate: f64) -> f64 {
    (rate / (1.0 - rate)).ln()
}

#[cfg(test)]
mod tests {
    use super::Prior;

    fn share_below(prior: &Prior, rate: f64) -> f64 {
        prior.nodes().iter().filter(|(r, _)| *r < rate).map(|(_, weight)| weight).sum()
    }

    #[test]
    fn log_uniform_gives_each_order_of_magnitude_its_third() {
        let prior = Prior::log_uniform(1e-3, 10_000);
        assert!((share_below(&prior, 1e-2) - 1.0 / 3.0).abs() < 0.01);
        assert!((share_below(&prior, 1e-1) - 2.0 / 3.0).abs() < 0.01);
        assert!((prior.nodes().iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn real_rows_centre_on_their_share_and_its_survivals() {
        let prior = Prior::real_rows(300, 1_000);
        assert!((share_below(&prior, 0.1) - 1.0 / 3.0).abs() < 0.02);
        assert!((share_below(&prior, 0.2) - 2.0 / 3.0).abs() < 0.02);
        assert!(share_below(&prior, 0.4) > 0.99);
        // More leaked than held is a whole store, and an empty one is no error.
        assert!(share_below(&Prior::real_rows(2_000, 1_000), 0.1) < 0.01);
        assert!(Prior::real_rows(0, 0).nodes().iter().all(|(rate, _)| rate.is_finite()));
    }
}
