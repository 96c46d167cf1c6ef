//! What a thief who compares several copies of different stores publishes of them: each rule says with what chance a
//! row that so many of the copies hold is left in.

/// A way to combine copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Everything that any copy holds; of a single copy, that copy.
    Union,
    /// What all of them hold.
    Intersection,
    /// What more than half of them hold.
    Majority,
    /// The same, and what just half of them hold by a toss of a coin.
    MajorityTies,
    /// Each row from a copy drawn blindly.
    Interleave,
    /// What all of them hold, and of the rest what a coin says.
    Coin,
}

/// The most copies that are thought of together.
pub const MOST_COPIES: usize = 4;

/// The chances that any rule gives a row, for up to four copies.
pub const CHANCES: [f64; 6] = [1.0, 0.5, 1.0 / 3.0, 2.0 / 3.0, 0.25, 0.75];

impl Rule {
    /// The rules that differ for so many copies: of two, most are all, and a coin is as good as a blind draw.
    pub fn of_size(size: usize) -> &'static [Rule] {
        use Rule::{Coin, Interleave, Intersection, Majority, MajorityTies, Union};
        match size {
            0 => &[],
            1 => &[Union],
            2 => &[Union, Intersection, Interleave],
            3 => &[Union, Intersection, Majority, Interleave, Coin],
            _ => &[Union, Intersection, Majority, MajorityTies, Interleave, Coin],
        }
    }

    /// The chance that a row is left in which `holders` of `size` copies hold.
    pub fn kept(self, holders: usize, size: usize) -> f64 {
        let certain = |yes: bool| if yes { 1.0 } else { 0.0 };
        match self {
            _ if holders == 0 => 0.0,
            Rule::Union => 1.0,
            Rule::Intersection => certain(holders == size),
            Rule::Majority => certain(2 * holders > size),
            Rule::MajorityTies if 2 * holders == size => 0.5,
            Rule::MajorityTies => certain(2 * holders > size),
            Rule::Interleave => holders as f64 / size as f64,
            Rule::Coin if holders == size => 1.0,
            Rule::Coin => 0.5,
        }
    }

    /// The place of that chance among `CHANCES`; none where the row is never left in.
    pub fn chance(self, holders: usize, size: usize) -> Option<usize> {
        let kept = self.kept(holders, size);
        CHANCES.iter().position(|chance| (chance - kept).abs() < 1e-12)
    }
}

#[cfg(test)]
mod tests {
    use super::{CHANCES, MOST_COPIES, Rule};

    #[test]
    fn every_chance_is_in_the_list_and_rules_of_a_size_differ() {
        for size in 1..=MOST_COPIES {
            let tables: Vec<Vec<u64>> = Rule::of_size(size)
                .iter()
                .map(|rule| {
                    (1..=size)
                        .map(|holders| {
                            let kept = rule.kept(holders, size);
                            let told = rule.chance(holders, size).map_or(0.0, |place| CHANCES[place]);
                            assert_eq!(told, kept, "{rule:?} {holders} of {size}");
                            kept.to_bits()
                        })
                        .collect()
                })
                .collect();
            let different: std::collections::BTreeSet<_> = tables.iter().collect();
            assert_eq!(different.len(), tables.len(), "{size}");
            assert!(Rule::of_size(size).iter().all(|rule| rule.kept(0, size) == 0.0));
        }
        assert_eq!(Rule::MajorityTies.kept(2, 4), 0.5);
        assert_eq!(Rule::Majority.kept(2, 4), 0.0);
    }
}
