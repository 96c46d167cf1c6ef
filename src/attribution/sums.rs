//! Sums of numbers that are kept as logarithms, and of binomial coefficients.

use statrs::function::gamma::ln_gamma;

/// ln(Σ exp(term)), without overflow; −∞ for no terms. Terms are added in the order given, which callers keep
/// canonical, so that the same evidence gives the same bits.
pub fn ln_sum_exp(terms: &[f64]) -> f64 {
    let greatest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if greatest == f64::NEG_INFINITY {
        return greatest;
    }
    // What is 2^-64 of the greatest is lost in the sum anyway.
    let told = terms.iter().map(|term| term - greatest).filter(|below| *below > -45.0);
    greatest + told.map(f64::exp).sum::<f64>().ln()
}

/// The same for terms in no canonical order: sorted, and added in pairs, so that the order in which they come never counts.
pub fn ln_sum_exp_sorted(mut terms: Vec<f64>) -> f64 {
    terms.retain(|term| *term > f64::NEG_INFINITY);
    terms.sort_by(f64::total_cmp);
    let Some(greatest) = terms.last().copied() else { return f64::NEG_INFINITY };
    let mut sums: Vec<f64> = terms.into_iter().map(|term| (term - greatest).exp()).collect();
    while sums.len() > 1 {
        sums = sums.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
    greatest + sums[0].ln()
}

/// ln(exp(a) + exp(b)).
pub fn ln_add_exp(a: f64, b: f64) -> f64 {
    ln_sum_exp(&[a, b])
}

/// ln of the binomial coefficient "n over k"; −∞ where k is more than n.
pub fn ln_binomial(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    let few = k.min(n - k);
    if few <= 1_000 {
        // The quotient of gammas loses digits once n is large: a short product does not.
        return (0..few).map(|i| ((n - i) as f64 / (few - i) as f64).ln()).sum();
    }
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
}

#[cfg(test)]
mod tests {
    use super::{ln_add_exp, ln_binomial, ln_sum_exp, ln_sum_exp_sorted};

    #[test]
    fn the_order_of_terms_never_counts() {
        let terms = vec![-3.0, -700.0, 2.5, 2.5, -0.1, f64::NEG_INFINITY, -44.0];
        let mut turned = terms.clone();
        turned.reverse();
        assert_eq!(ln_sum_exp_sorted(terms.clone()).to_bits(), ln_sum_exp_sorted(turned).to_bits());
        assert!((ln_sum_exp_sorted(terms.clone()) - ln_sum_exp(&terms)).abs() < 1e-12);
        assert_eq!(ln_sum_exp_sorted(Vec::new()), f64::NEG_INFINITY);
    }

    #[test]
    fn sums_far_below_what_exp_can_hold() {
        assert!((ln_sum_exp(&[-2000.0, -2000.0]) - (-2000.0 + 2f64.ln())).abs() < 1e-12);
        assert_eq!(ln_sum_exp(&[]), f64::NEG_INFINITY);
        assert_eq!(ln_add_exp(f64::NEG_INFINITY, -3.0), -3.0);
    }

    #[test]
    fn counts_choices_exactly_for_small_numbers() {
        assert!((ln_binomial(49, 6) - 13_983_816f64.ln()).abs() < 1e-12);
        assert_eq!(ln_binomial(3, 4), f64::NEG_INFINITY);
        assert_eq!(ln_binomial(7, 0), 0.0);
        // The long way and the short way meet.
        let short = ln_binomial(4_000, 1_000);
        let long = statrs::function::gamma::ln_gamma(4_001.0)
            - statrs::function::gamma::ln_gamma(1_001.0)
            - statrs::function::gamma::ln_gamma(3_001.0);
        assert!((short - long).abs() < 1e-8, "{short} {long}");
    }
}
