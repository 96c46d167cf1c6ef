//! Where base64 may stand in a text: its long runs of letters, found sixty-four bytes at a time. What they hold is not
//! read here.

use super::simd::{BLOCKS, Classes, Isa, Mask, Work, behind, from};

/// Bytes that are classified at once.
const STRETCH: usize = BLOCKS * 64;
/// The shortest run that is shown.
const LEAST: usize = 10;

/// A run of letters of base64, of either alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub start: usize,
    pub end: usize,
    /// Whether one of its first sixty-four letters is none of a word: `+`, `/`, `-`, `_`.
    pub marked: bool,
}

/// Shows each run of ten letters of base64 or more that begins before `until`, in order.
pub fn base64_runs(text: &[u8], until: usize, visit: &mut impl FnMut(Run)) {
    runs_by(Isa::best(), text, until, visit);
}

fn runs_by(isa: Isa, text: &[u8], until: usize, visit: &mut impl FnMut(Run)) {
    let mut classes = Classes::new();
    for at in (0..text.len().min(until)).step_by(STRETCH) {
        isa.classify(&text[at..text.len().min(at + STRETCH + 64)], &mut classes);
        isa.with(Look { isa, text, until, at, classes: &classes, visit });
        classes.go_on();
    }
}

/// A stretch of a text that is to be looked through.
struct Look<'a, V> {
    isa: Isa,
    text: &'a [u8],
    until: usize,
    /// Where it begins.
    at: usize,
    classes: &'a Classes,
    visit: &'a mut V,
}

impl<V: FnMut(Run)> Work for Look<'_, V> {
    #[inline(always)]
    fn run(self) {
        let (letters, marks) = letters(self.classes);
        let long = long(&letters);
        let (mut starts, mut places) = ([0; BLOCKS], [0; STRETCH + 64]);
        for (block, starts) in starts.iter_mut().enumerate() {
            *starts = long[block + 1] & !behind(&letters, block, 1);
        }
        for number in 0..self.isa.list(&starts, &mut places) {
            let place = places[number % STRETCH];
            let start = self.at + usize::from(place);
            if start >= self.until {
                break;
            }
            let length = from(&letters, place).trailing_ones();
            let marked = from(&marks, place) & (u64::MAX >> (64 - length)) != 0;
            let end = if length < 64 { start + length as usize } else { end_of(self.text, start + 64) };
            (self.visit)(Run { start, end, marked });
        }
    }
}

/// The letters of base64, and those of them that are none of a word.
#[inline(always)]
fn letters(classes: &Classes) -> (Mask, Mask) {
    let (mut letters, mut marks) = ([0; BLOCKS + 2], [0; BLOCKS + 2]);
    for block in 0..BLOCKS + 2 {
        marks[block] = classes.dash[block] | classes.plus[block] | classes.slash[block];
        letters[block] = classes.digit[block] | classes.alpha[block] | marks[block];
    }
    (letters, marks)
}

/// Where so many letters follow each other as make a run.
#[inline(always)]
fn long(letters: &Mask) -> Mask {
    // Behind the last block nothing is known: what is asked for begins in the one before it, and reaches ten bytes far.
    let further = |mask: &Mask, by: u32| {
        let mut both = [0; BLOCKS + 2];
        for block in 0..=BLOCKS {
            both[block] = mask[block] & (mask[block] >> by | mask[block + 1] << (64 - by));
        }
        both[BLOCKS + 1] = mask[BLOCKS + 1] & mask[BLOCKS + 1] >> by;
        both
    };
    const { assert!(LEAST == 10) };
    let two = further(letters, 1);
    let eight = further(&further(&two, 2), 4);
    let mut ten = [0; BLOCKS + 2];
    for block in 0..=BLOCKS {
        ten[block] = eight[block] & (two[block] >> 8 | two[block + 1] << 56);
    }
    ten
}

/// Where the run ends that goes on here.
#[inline(never)]
fn end_of(text: &[u8], at: usize) -> usize {
    let is = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    at + text[at..].iter().position(|byte| !is(byte)).unwrap_or(text.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, byte by byte.
    fn plain(text: &[u8], until: usize) -> Vec<Run> {
        let is = |at: usize| {
            text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
        };
        let mut runs = Vec::new();
        for start in (0..until.min(text.len())).filter(|at| is(*at) && (*at == 0 || !is(at - 1))) {
            let end = (start..).find(|at| !is(*at)).expect("the text ends");
            let marked = text[start..end.min(start + 64)].iter().any(|byte| !byte.is_ascii_alphanumeric());
            if end - start >= LEAST {
                runs.push(Run { start, end, marked });
            }
        }
        runs
    }

    fn compare(text: &[u8], until: usize) -> usize {
        let expected = plain(text, until);
        for isa in Isa::all() {
            let mut runs = Vec::new();
            runs_by(isa, text, until, &mut |run| runs.push(run));
            assert_eq!(runs, expected, "{isa:?} until {until} in {:?}", String::from_utf8_lossy(text));
        }
        expected.len()
    }

    proptest! {
        #[test]
        fn every_path_finds_the_same_runs(
            text in "([A-Za-z0-9+/_-]{8,12}|[a-z]{60,70}|[0-9/]{120,140}|[ ;\n=é.,%]{1,3}|[a-z]{1,9} ){0,60}",
            until in any::<prop::sample::Index>(),
        ) {
            compare(text.as_bytes(), until.index(text.len() + 1));
            compare(text.as_bytes(), usize::MAX);
        }

        #[test]
        fn so_it_does_in_any_bytes(text in prop::collection::vec(any::<u8>(), 0..600)) {
            compare(&text, usize::MAX);
        }
    }

    #[test]
    fn a_run_is_found_wherever_it_stands_in_a_stretch() {
        for length in [9, 10, 11, 63, 64, 65, 128, 5_000] {
            for before in (0..130).chain(STRETCH - 70..STRETCH + 3) {
                let text = format!("{};{};", " ".repeat(before), "x".repeat(length - 1) + "/");
                assert_eq!(compare(text.as_bytes(), usize::MAX), usize::from(length >= LEAST));
            }
        }
        assert_eq!(compare(&b"x".repeat(STRETCH * 3), usize::MAX), 1);
    }
}
