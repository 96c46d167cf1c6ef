//! A split-block Bloom filter over keyed hashes: it answers "surely not" in one cache line. It holds bits only.

use super::simd;

/// Bits for each key: with them one stranger in some 2000 passes.
const BITS: u64 = 20;
/// Bytes of a block: four words, in which each key has six bits.
const BLOCK: usize = 32;

/// The length in bytes of a sieve for so many keys.
pub(super) fn length_for(keys: usize) -> usize {
    ((keys as u64 * BITS).div_ceil(8 * BLOCK as u64).max(1) as usize) * BLOCK
}

/// A sieve in bytes that stand elsewhere; their length is a multiple of a block's.
#[derive(Clone, Copy)]
pub(super) struct Sieve<'a>(&'a [[u8; BLOCK]]);

impl<'a> Sieve<'a> {
    /// None if these bytes are no whole number of blocks.
    pub fn new(bytes: &'a [u8]) -> Option<Sieve<'a>> {
        let (blocks, rest) = bytes.as_chunks();
        (!blocks.is_empty() && rest.is_empty()).then_some(Sieve(blocks))
    }

    /// Has memory fetch what will be looked at for this hash.
    #[inline(always)]
    pub fn fetch(self, hash: u64) {
        simd::fetch(self.block(hash));
    }

    /// The block that holds the bits of this hash: two in each of its first two words, one in each of the others, their
    /// places by six bits of the hash each, from the lowest on.
    #[inline(always)]
    pub fn block(self, hash: u64) -> &'a [u8; BLOCK] {
        &self.0[place(hash, self.0.len())]
    }

    /// Whether this hash may have been added.
    #[inline(always)]
    pub fn passes(self, hash: u64) -> bool {
        let block = self.block(hash);
        let [first, second, third, fourth] = words(block);
        let bit = |word: u64, number: u32| word.wrapping_shr((hash >> (6 * number)) as u32);
        bit(first, 0) & bit(first, 1) & bit(second, 2) & bit(second, 3) & bit(third, 4) & bit(fourth, 5) & 1 == 1
    }
}

/// Adds a hash to the sieve in these bytes.
pub(super) fn add(bytes: &mut [u8], hash: u64) {
    let blocks = bytes.as_chunks_mut::<BLOCK>().0;
    let block = &mut blocks[place(hash, blocks.len())];
    let bit = |number: u32| 1_u64 << (hash >> (6 * number) & 63);
    let bits = [bit(0) | bit(1), bit(2) | bit(3), bit(4), bit(5)];
    let words = words(block);
    for ((bytes, word), bits) in block.as_chunks_mut::<8>().0.iter_mut().zip(words).zip(bits) {
        *bytes = (word | bits).to_le_bytes();
    }
}

#[inline(always)]
fn words(block: &[u8; BLOCK]) -> [u64; 4] {
    let (words, _) = block.as_chunks::<8>();
    [
        u64::from_le_bytes(words[0]),
        u64::from_le_bytes(words[1]),
        u64::from_le_bytes(words[2]),
        u64::from_le_bytes(words[3]),
    ]
}

/// The block of this hash, by the bits that choose none within it.
#[inline(always)]
fn place(hash: u64, blocks: usize) -> usize {
    (((hash >> 36) * blocks as u64) >> 28) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_passes_and_few_others_do() {
        let hash =
            |number: u64| u64::from_le_bytes(blake3::hash(&number.to_le_bytes()).as_bytes()[..8].try_into().unwrap());
        let mut bytes = vec![0; length_for(10_000)];
        (0..10_000).for_each(|number| add(&mut bytes, hash(number)));
        let sieve = Sieve::new(&bytes).unwrap();
        assert!((0..10_000).all(|number| sieve.passes(hash(number))));
        let passed = (10_000..110_000).filter(|number| sieve.passes(hash(*number))).count();
        assert!(passed < 500, "{passed} of 100,000 strangers passed");
        assert!(Sieve::new(&bytes[..33]).is_none() && Sieve::new(&[]).is_none());
    }
}
