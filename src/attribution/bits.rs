//! Sets of canaries, numbered: a word holds 64 of them, so that counting is a matter of popcounts.

/// A set of small numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// The empty set, with room for the numbers below `size`.
    pub fn empty(size: usize) -> Self {
        Bits(vec![0; size.div_ceil(64)])
    }

    /// Puts a number in.
    pub fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    /// Takes a number out.
    pub fn remove(&mut self, number: usize) {
        self.0[number / 64] &= !(1 << (number % 64));
    }

    /// Whether the number is in.
    pub fn contains(&self, number: usize) -> bool {
        self.0[number / 64] & (1 << (number % 64)) != 0
    }

    /// How many are in.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many are in both.
    pub fn count_shared(&self, other: &Bits) -> u64 {
        self.0.iter().zip(&other.0).map(|(a, b)| u64::from((a & b).count_ones())).sum()
    }

    /// What is in either.
    pub fn union(&self, other: &Bits) -> Bits {
        Bits(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    /// What is in both.
    pub fn shared(&self, other: &Bits) -> Bits {
        Bits(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// The words, 64 numbers each.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    /// The numbers in it, least first.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let lowest = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(place * 64 + lowest)
            })
        })
    }

    /// What is in this one and not in the other.
    pub fn without(&self, other: &Bits) -> Bits {
        Bits(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    fn set(numbers: &[usize]) -> Bits {
        let mut bits = Bits::empty(130);
        numbers.iter().for_each(|number| bits.insert(*number));
        bits
    }

    #[test]
    fn behaves_as_a_set() {
        let (a, b) = (set(&[0, 63, 64, 129]), set(&[63, 65, 129]));
        assert_eq!((a.count(), b.count(), a.count_shared(&b)), (4, 3, 2));
        assert_eq!(a.union(&b), set(&[0, 63, 64, 65, 129]));
        assert_eq!(a.shared(&b), set(&[63, 129]));
        assert_eq!(a.without(&b), set(&[0, 64]));
        assert!(a.contains(64) && !b.contains(64));
        assert_eq!(a.numbers().collect::<Vec<_>>(), [0, 63, 64, 129]);
        let mut c = a.clone();
        c.remove(64);
        assert_eq!(c, set(&[0, 63, 129]));
    }
}
