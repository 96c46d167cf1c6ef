//! Deterministic draws: a keyed stream of pseudo-random numbers, one for each purpose and label. The same key and
//! label give the same draws for ever, so nothing here may change without a new `MINT_VERSION`.

use blake3::{Hasher, OutputReader};

/// A stream of draws.
pub(crate) struct Draw {
    reader: OutputReader,
    block: [u8; 64],
    at: usize,
}

impl Draw {
    /// The stream of this purpose and label. Parts are framed by their length, so that no two labels meet.
    pub(crate) fn new(key: &[u8; 32], purpose: &str, label: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new_keyed(key);
        for part in std::iter::once(&purpose.as_bytes()).chain(label) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Draw { reader: hasher.finalize_xof(), block: [0; 64], at: 64 }
    }

    /// The next bytes of the stream.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| {
            if self.at == self.block.len() {
                self.reader.fill(&mut self.block);
                self.at = 0;
            }
            self.at += 1;
            self.block[self.at - 1]
        })
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(u64::from_le_bytes(self.bytes()));
        ((wide * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1u64 << 53) as f64
    }

    /// True in this many cases of a hundred.
    pub(crate) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// One of these. The list is never empty: it is reference data that a test counts.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    /// One of a list that is ordered by frequency: the first far oftener than the last, none by far the most.
    pub(crate) fn pick_ranked<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let skew = self.fraction();
        let place = (skew * skew * list.len() as f64) as usize;
        &list[place.min(list.len() - 1)]
    }

    /// One of a weighted list, given its weights' running sums.
    pub(crate) fn pick_weighted<'a, T>(&mut self, list: &'a [(T, u64)]) -> &'a T {
        let sum = list.last().map_or(1, |row| row.1);
        let drawn = self.below(sum);
        &list[list.partition_point(|row| row.1 <= drawn).min(list.len() - 1)].0
    }

    /// This many digits.
    pub(crate) fn digits(&mut self, count: u32) -> String {
        format!("{:0width$}", self.below(10u64.pow(count)), width = count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_key_purpose_and_label() {
        let draw = |key: u8, purpose: &str, label: &[&[u8]]| Draw::new(&[key; 32], purpose, label).bytes::<16>();
        assert_eq!(draw(1, "a", &[b"x", b"y"]), draw(1, "a", &[b"x", b"y"]));
        assert_ne!(draw(1, "a", &[b"x", b"y"]), draw(2, "a", &[b"x", b"y"]));
        assert_ne!(draw(1, "a", &[b"x", b"y"]), draw(1, "b", &[b"x", b"y"]));
        assert_ne!(draw(1, "a", &[b"x", b"y"]), draw(1, "a", &[b"xy", b""]));
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut draw = Draw::new(&[7; 32], "bounds", &[]);
        let seen: std::collections::BTreeSet<i64> = (0..2000).map(|_| draw.between(-2, 2)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        let list = [("rare", 1), ("often", 100)];
        let rare = (0..10_000).filter(|_| *draw.pick_weighted(&list) == "rare").count();
        assert!((50..200).contains(&rare), "{rare}");
    }
}
