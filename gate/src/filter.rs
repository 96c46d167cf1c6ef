//! The filter: two binary fuse filters over two halves of one MAC, 32 bits and 8 bits wide. Together they are wrong for
//! one fingerprint in 2⁴⁰, so that a name of two spellings stays below 2⁻³². What is read is checked before it is asked:
//! no bytes lead outside the table.

use crate::GateError;
use xorf::{BinaryFuse8, BinaryFuse32, Descriptor, Filter as _};

/// More names than any house has, and few enough that no count overflows.
const MOST: usize = 1 << 27;
/// Seed, segment length, length of all segments but two, fingerprints.
const HEAD: usize = 8 + 4 + 4 + 4;

pub(crate) struct Filter {
    wide: BinaryFuse32,
    narrow: BinaryFuse8,
}

impl Filter {
    /// A filter of these fingerprints.
    pub fn of(fingerprints: &[(u64, u64)]) -> Result<Filter, GateError> {
        let not_built = |_| GateError::NotBuilt(fingerprints.len());
        if fingerprints.len() > MOST {
            return Err(GateError::NotBuilt(fingerprints.len()));
        }
        let wide = distinct(fingerprints.iter().map(|(wide, _)| *wide));
        let narrow = distinct(fingerprints.iter().map(|(_, narrow)| *narrow));
        Ok(Filter {
            wide: BinaryFuse32::try_from(wide).map_err(not_built)?,
            narrow: BinaryFuse8::try_from(narrow).map_err(not_built)?,
        })
    }

    /// Whether this fingerprint is one of them. Both tables are read, whatever the first one says.
    pub fn holds(&self, (wide, narrow): (u64, u64)) -> bool {
        self.wide.contains(&wide) & self.narrow.contains(&narrow)
    }

    pub fn write(&self, to: &mut Vec<u8>) {
        head(&self.wide.descriptor, self.wide.fingerprints.len(), to);
        to.extend(self.wide.fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
        head(&self.narrow.descriptor, self.narrow.fingerprints.len(), to);
        to.extend_from_slice(&self.narrow.fingerprints);
    }

    /// Reads what `write` wrote, and nothing behind it; none if these bytes are anything else.
    pub fn read(bytes: &[u8]) -> Option<Filter> {
        let (descriptor, fingerprints, bytes) = table(bytes, 4)?;
        let words = fingerprints.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let wide = BinaryFuse32 { descriptor, fingerprints: words.collect() };
        let (descriptor, fingerprints, bytes) = table(bytes, 1)?;
        let narrow = BinaryFuse8 { descriptor, fingerprints: fingerprints.into() };
        bytes.is_empty().then_some(Filter { wide, narrow })
    }
}

fn distinct(halves: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut halves: Vec<u64> = halves.collect();
    halves.sort_unstable();
    halves.dedup();
    halves
}

fn head(descriptor: &Descriptor, fingerprints: usize, to: &mut Vec<u8>) {
    to.extend_from_slice(&descriptor.seed.to_le_bytes());
    to.extend_from_slice(&descriptor.segment_length.to_le_bytes());
    to.extend_from_slice(&descriptor.segment_count_length.to_le_bytes());
    to.extend_from_slice(&(fingerprints as u32).to_le_bytes());
}

/// A descriptor that leads nowhere outside its fingerprints, these, and what follows.
fn table(bytes: &[u8], width: usize) -> Option<(Descriptor, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (segment_length, segment_count_length, count) = (number(8), number(12), number(16));
    let inside = segment_length.is_power_of_two()
        && segment_count_length > 0
        && segment_count_length.is_multiple_of(segment_length)
        && u64::from(segment_count_length) + 2 * u64::from(segment_length) == u64::from(count);
    let (fingerprints, rest) = rest.split_at_checked((count as usize).checked_mul(width)?)?;
    let seed = u64::from(number(0)) | u64::from(number(4)) << 32;
    let descriptor =
        Descriptor { seed, segment_length, segment_length_mask: segment_length.wrapping_sub(1), segment_count_length };
    inside.then_some((descriptor, fingerprints, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_names_fits_and_comes_back() {
        for count in [0_u64, 1, 2, 3, 10, 1000, 20_000] {
            let mixed =
                |number: u64| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number.wrapping_mul(0xd6e8_feb8_6659_fd93));
            let fingerprints: Vec<(u64, u64)> = (1..=count).map(mixed).collect();
            let filter = Filter::of(&[&fingerprints[..], &fingerprints[..]].concat()).unwrap();
            let mut bytes = Vec::new();
            filter.write(&mut bytes);
            let again = Filter::read(&bytes).unwrap();
            assert!(fingerprints.iter().all(|one| filter.holds(*one) && again.holds(*one)), "{count}");
            assert!((count + 1..count + 10_000).all(|number| !again.holds(mixed(number))), "{count}");
            for cut in [0, 1, HEAD, bytes.len() / 2, bytes.len() - 1] {
                assert!(Filter::read(&bytes[..cut]).is_none(), "{count}, {cut}");
            }
            assert!(Filter::read(&[&bytes[..], &[0]].concat()).is_none());
        }
    }

    #[test]
    fn a_table_that_leads_outside_is_refused() {
        let mut bytes = Vec::new();
        Filter::of(&[(1, 1), (2, 2), (3, 3)]).unwrap().write(&mut bytes);
        for at in 8..HEAD {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                // Whatever is taken can be asked.
                if let Some(filter) = Filter::read(&damaged) {
                    (0..1000_u64).for_each(|number| {
                        let _ = filter.holds((number << 54, number << 53));
                    });
                }
            }
        }
    }
}
