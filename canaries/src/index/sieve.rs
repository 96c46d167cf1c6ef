//! A split-block Bloom filter over keyed hashes: it answers "surely not" in one cache line. It holds bits only.

/// Bits for each key: with them one stranger in some 750 passes.
const BITS: u64 = 16;
/// Bytes of a block: eight words, one bit in each for every key.
const BLOCK: usize = 32;
/// Odd multipliers, one a word.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The length in bytes of a sieve for so many keys.
pub(super) fn length_for(keys: usize) -> usize {
    ((keys as u64 * BITS).div_ceil(8 * BLOCK as u64).max(1) as usize) * BLOCK
}

/// A sieve in bytes that stand elsewhere; their length is a multiple of a block's.
#[derive(Clone, Copy)]
pub(super) struct Sieve<'a>(&'a [u8]);

impl<'a> Sieve<'a> {
    /// None if these bytes are no whole number of blocks.
    pub fn new(bytes: &'a [u8]) -> Option<Sieve<'a>> {
        (!bytes.is_empty() && bytes.len().is_multiple_of(BLOCK)).then_some(Sieve(bytes))
    }

    /// Whether this hash may have been added.
    #[inline(always)]
    pub fn passes(self, hash: u64) -> bool {
        let at = place(hash, self.0.len());
        let block = &self.0[at..at + BLOCK];
        let low = hash as u32;
        let mut missing = 0;
        for (word, salt) in block.as_chunks::<4>().0.iter().zip(SALTS) {
            missing |= !u32::from_le_bytes(*word) & (1 << (low.wrapping_mul(salt) >> 27));
        }
        missing == 0
    }
}

/// Adds a hash to the sieve in these bytes.
pub(super) fn add(bytes: &mut [u8], hash: u64) {
    let at = place(hash, bytes.len());
    let low = hash as u32;
    for (word, salt) in bytes[at..at + BLOCK].as_chunks_mut::<4>().0.iter_mut().zip(SALTS) {
        *word = (u32::from_le_bytes(*word) | (1 << (low.wrapping_mul(salt) >> 27))).to_le_bytes();
    }
}

/// Where this hash's block begins.
#[inline(always)]
fn place(hash: u64, length: usize) -> usize {
    (((hash >> 32) * (length / BLOCK) as u64) >> 32) as usize * BLOCK
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
        assert!(passed < 400, "{passed} of 100,000 strangers passed");
        assert!(Sieve::new(&bytes[..33]).is_none() && Sieve::new(&[]).is_none());
    }
}
