//! Drawing blindly from a bag in which some are special: the exact tails, also where they are far below what one
//! minus something could show.

use crate::attribution::sums::{ln_binomial, ln_sum_exp};

/// ln P(X ≥ at_least), X the number of `special` ones among `drawn` out of `all`. The upper tail is summed itself,
/// for one minus the lower would be nothing where it matters most.
pub fn ln_upper_tail(all: u64, special: u64, drawn: u64, at_least: u64) -> f64 {
    if at_least == 0 {
        return 0.0;
    }
    let fewest = at_least.max((special + drawn).saturating_sub(all));
    let most = drawn.min(special);
    if fewest > most {
        return f64::NEG_INFINITY;
    }
    let mut ln = ln_probability(all, special, drawn, fewest);
    let mut terms = vec![ln];
    for hit in fewest..most {
        // Each probability follows from the one before.
        let more = (special - hit) as f64 * (drawn - hit) as f64;
        let fewer = (hit + 1) as f64 * (all - special + hit + 1 - drawn) as f64;
        ln += (more / fewer).ln();
        terms.push(ln);
    }
    ln_sum_exp(&terms).min(0.0)
}

/// ln P(X = hit) of the same.
pub fn ln_probability(all: u64, special: u64, drawn: u64, hit: u64) -> f64 {
    if hit > special || hit > drawn || drawn - hit > all - special {
        return f64::NEG_INFINITY;
    }
    ln_binomial(special, hit) + ln_binomial(all - special, drawn - hit) - ln_binomial(all, drawn)
}

/// P(X ≥ at_least) of the same.
pub fn upper_tail(all: u64, special: u64, drawn: u64, at_least: u64) -> f64 {
    ln_upper_tail(all, special, drawn, at_least).exp()
}

#[cfg(test)]
mod tests {
    use super::upper_tail;

    fn close(found: f64, golden: f64, digits: i32) {
        assert!((found / golden - 1.0).abs() < 10f64.powi(-digits), "{found:e} is not {golden:e}");
    }

    #[test]
    fn agrees_with_the_golden_tails() {
        close(upper_tail(10_000, 66, 1_000, 1), 0.999067589877, 9);
        close(upper_tail(10_000, 108, 1_000, 3), 0.999076966616, 9);
        close(upper_tail(1_000_000, 30, 2, 2), 8.700009e-10, 6);
        close(upper_tail(100_000, 30, 3, 3), 2.436073e-11, 6);
        close(upper_tail(1_000_008, 3, 3, 3), 5.99987400177e-18, 9);
        close(upper_tail(1_000_008, 3, 1, 1), 2.99997600019e-6, 9);
        close(upper_tail(1_000_072, 72, 10, 2), 2.3e-7, 1);
    }

    #[test]
    fn is_certain_where_nothing_else_is_possible() {
        assert_eq!(upper_tail(10, 3, 2, 0), 1.0);
        close(upper_tail(10, 10, 4, 4), 1.0, 12);
        close(upper_tail(10, 8, 5, 3), 1.0, 12);
        assert_eq!(upper_tail(10, 3, 4, 4), 0.0);
    }
}
