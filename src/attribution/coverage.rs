//! How many canaries a store needs, so that a leak of some of its rows holds a few of them: exact, for `plan`.

use crate::attribution::hypergeometric::ln_probability;

/// The smallest number of canaries among `rows` (which counts them in), such that `leaked` rows drawn blindly hold
/// `at_least` of them with this confidence; none where even a store of nothing but canaries would not do.
pub fn smallest(rows: u64, leaked: u64, at_least: u64, confidence: f64) -> Option<u64> {
    let enough = |canaries: u64| chance(rows, canaries, leaked, at_least) >= confidence;
    if leaked > rows || !enough(rows) {
        return None;
    }
    Some(first_enough(rows, enough))
}

/// The same for canaries that come on top of `real` rows, of all of which this share leaks.
pub fn smallest_beside(real: u64, share: f64, at_least: u64, confidence: f64) -> Option<u64> {
    // Each canary added is a row more.
    let enough = |canaries: u64| {
        let rows = real + canaries;
        chance(rows, canaries, (rows as f64 * share).round() as u64, at_least) >= confidence
    };
    let most = (0..27).map(|doublings| at_least.max(1) << doublings).find(|canaries| enough(*canaries))?;
    Some(first_enough(most, enough))
}

/// The least number that is enough, when `most` is.
fn first_enough(most: u64, enough: impl Fn(u64) -> bool) -> u64 {
    if enough(0) {
        return 0;
    }
    let (mut short, mut long) = (0, most);
    while long - short > 1 {
        let middle = short + (long - short) / 2;
        if enough(middle) { long = middle } else { short = middle }
    }
    long
}

/// The chance that `leaked` rows drawn blindly from `rows` hold `at_least` of the `canaries` among them.
pub fn chance(rows: u64, canaries: u64, leaked: u64, at_least: u64) -> f64 {
    if canaries > rows || leaked > rows {
        return 0.0;
    }
    let below: f64 = (0..at_least.min(canaries + 1)).map(|few| ln_probability(rows, canaries, leaked, few).exp()).sum();
    (1.0 - below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::{chance, smallest, smallest_beside};

    #[test]
    fn agrees_with_the_exact_table() {
        // rows, leaked, then canaries for: one at 99 %, one at 99.9 %, three at 99 %, three at 99.9 %
        let table = [
            (500, 250, [7, 10, 14, 17]),
            (500, 50, [42, 62, 76, 99]),
            (2_000, 200, [44, 65, 80, 106]),
            (2_000, 20, [410, 582, 715, 892]),
            (10_000, 5_000, [7, 10, 14, 18]),
            (10_000, 1_000, [44, 66, 81, 108]),
            (10_000, 500, [90, 134, 164, 218]),
            (10_000, 100, [448, 665, 812, 1_069]),
            (100_000, 1_000, [458, 685, 835, 1_114]),
            (100_000, 100, [4_499, 6_672, 8_139, 10_720]),
            (1_000_000, 10_000, [459, 688, 838, 1_118]),
        ];
        for (rows, leaked, cells) in table {
            for ((at_least, confidence), cell) in [(1, 0.99), (1, 0.999), (3, 0.99), (3, 0.999)].into_iter().zip(cells)
            {
                let found = smallest(rows, leaked, at_least, confidence);
                assert_eq!(found, Some(cell), "{leaked} of {rows}, {at_least} at {confidence}");
            }
        }
    }

    #[test]
    fn says_when_no_number_is_enough() {
        assert_eq!(smallest(100, 0, 1, 0.99), None);
        assert_eq!(smallest(100, 2, 3, 0.99), None);
        assert_eq!(smallest(100, 101, 1, 0.99), None);
        assert_eq!(smallest_beside(100, 0.0, 1, 0.99), None);
    }

    #[test]
    fn counts_the_canaries_among_the_rows() {
        let canaries = smallest_beside(10_000, 0.1, 3, 0.999).unwrap();
        let rows = 10_000 + canaries;
        assert!(chance(rows, canaries, rows / 10, 3) >= 0.999);
        assert!((107..=110).contains(&canaries), "{canaries}");
        // A tiny store: nearly every row leaks.
        assert_eq!(smallest_beside(0, 1.0, 3, 0.99), Some(3));
        // A large store and a thin leak.
        let canaries = smallest_beside(1_000_000, 0.0001, 1, 0.99).unwrap();
        assert!((44_000..46_000).contains(&canaries), "{canaries}");
    }
}
