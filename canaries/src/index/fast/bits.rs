//! Bits as a list of places: written eight at a time whether they are there or not, which no branch has to foresee.

use super::STRETCH;

/// Room for the places of a stretch, and for those that are written in advance.
const ROOM: usize = (STRETCH + 64).next_power_of_two();

/// Places within a stretch.
pub(super) struct Bits {
    places: Box<[u16; ROOM]>,
    count: usize,
}

impl Bits {
    pub fn new() -> Bits {
        Bits { places: Box::new([0; ROOM]), count: 0 }
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds the places of the bits of the `number`th sixty-four bytes.
    #[inline(always)]
    pub fn add(&mut self, number: usize, mut mask: u64) {
        let base = (number * 64) as u16;
        let end = self.count + mask.count_ones() as usize;
        while mask != 0 {
            for _ in 0..8 {
                // A mask without bits gives a place beyond, which the next ones overwrite.
                self.places[self.count % ROOM] = base.wrapping_add(mask.trailing_zeros() as u16);
                self.count += 1;
                mask &= mask.wrapping_sub(1);
            }
        }
        self.count = end;
    }

    /// All of them, in order.
    pub fn places(&self) -> &[u16] {
        &self.places[..self.count.min(ROOM)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_listed_once() {
        let mut bits = Bits::new();
        let masks = [0, 1, u64::MAX, 1 << 63, 0x5555_5555_5555_5555, 0];
        for (number, mask) in masks.iter().enumerate() {
            bits.add(number, *mask);
        }
        let expected: Vec<u16> =
            (0..6_u16 * 64).filter(|place| masks[usize::from(place / 64)] >> (place % 64) & 1 == 1).collect();
        assert_eq!(bits.places(), expected);
        bits.clear();
        (0..STRETCH / 64).for_each(|number| bits.add(number, u64::MAX));
        assert_eq!(bits.places().len(), STRETCH);
    }
}
