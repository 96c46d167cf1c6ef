//! Numbers as Parquet packs them: runs and groups of bits, and differences.

/// The most numbers that one page may have.
pub(super) const MOST: usize = 8 << 20;

/// Reads runs and bit-packed groups of numbers of this width; none if there are fewer than `count`.
pub(super) fn hybrid(mut bytes: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
    if count > MOST || width > 32 {
        return None;
    }
    let mut numbers = Vec::new();
    while numbers.len() < count {
        if width == 0 {
            numbers.resize(count, 0);
            break;
        }
        let header = varint(&mut bytes)?;
        let left = count - numbers.len();
        if header & 1 == 0 {
            let length = width.div_ceil(8) as usize;
            let (value, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            let value = value.iter().rev().fold(0u32, |value, byte| (value << 8) | u32::from(*byte));
            let run = usize::try_from(header >> 1).ok()?.min(left);
            if run == 0 {
                return None;
            }
            numbers.resize(numbers.len() + run, value);
        } else {
            let groups = usize::try_from(header >> 1).ok()?;
            let length = groups.checked_mul(width as usize)?.min(bytes.len());
            let (packed, rest) = bytes.split_at(length);
            bytes = rest;
            let whole = (length * 8 / width as usize).min(left);
            if whole == 0 {
                return None;
            }
            numbers.extend((0..whole).map(|at| bits(packed, at * width as usize, width) as u32));
        }
    }
    Some(numbers)
}

/// Some bits, from the lowest.
fn bits(bytes: &[u8], from: usize, width: u32) -> u64 {
    let mut value = 0u64;
    for (at, bit) in (from..from + width as usize).enumerate() {
        let byte = bytes.get(bit / 8).copied().unwrap_or(0);
        value |= u64::from((byte >> (bit % 8)) & 1) << at;
    }
    value
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let value = varint(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Reads numbers that are kept as differences, and leaves what follows them.
pub(super) fn delta(bytes: &mut &[u8]) -> Option<Vec<i64>> {
    let block = usize::try_from(varint(bytes)?).ok()?;
    let minis = usize::try_from(varint(bytes)?).ok()?;
    let count = usize::try_from(varint(bytes)?).ok()?;
    let mut value = zigzag(bytes)?;
    if count > MOST || minis == 0 || minis > 512 || block > 1 << 20 || block % minis != 0 || block == 0 {
        return None;
    }
    let each = block / minis;
    let mut numbers = Vec::new();
    if count > 0 {
        numbers.push(value);
    }
    while numbers.len() < count {
        let least = zigzag(bytes)?;
        let (widths, rest) = bytes.split_at_checked(minis)?;
        *bytes = rest;
        for &width in widths {
            if numbers.len() >= count {
                break;
            }
            if width > 64 {
                return None;
            }
            let (packed, rest) = bytes.split_at_checked((each * usize::from(width)).div_ceil(8))?;
            *bytes = rest;
            for at in 0..each.min(count - numbers.len()) {
                let more = bits(packed, at * usize::from(width), u32::from(width)) as i64;
                value = value.wrapping_add(least).wrapping_add(more);
                numbers.push(value);
            }
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_groups_and_differences_are_read() {
        // Eight times 5, then 0 to 7 in three bits each.
        assert_eq!(hybrid(&[0x10, 5, 0x03, 0x88, 0xc6, 0xfa], 3, 16).unwrap()[6..10], [5, 5, 0, 1]);
        assert_eq!(hybrid(&[], 0, 3).unwrap(), [0; 3]);
        assert_eq!(hybrid(&[0x10], 3, 8), None);
        // 7, 5, 3, 1, 2, 3, 4, 5: the example of the format's description.
        let mut bytes = [8, 1, 8, 14, 3, 2, 0xc0, 0x3f, 9].as_slice();
        let read = delta(&mut bytes).unwrap();
        assert_eq!((read, bytes), (vec![7, 5, 3, 1, 2, 3, 4, 5], &[9][..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 0u32..40, count in 0usize..5_000) {
            prop_assert!(hybrid(&bytes, width, count).is_none_or(|read| read.len() == count));
            let _ = delta(&mut bytes.as_slice());
        }
    }
}
