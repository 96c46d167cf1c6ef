//! What each byte of a text is, sixty-four bytes at a time, where runs of them begin and end, and the hashes of many
//! words: by the widest instructions that this machine has. All paths give the same. The only unsafe code of the crate
//! stands in this folder.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::{clue::ClueKey, sieve::Sieve};

/// Blocks of sixty-four bytes that are looked through together.
pub(super) const BLOCKS: usize = 64;
/// The words that are asked for at once.
pub(super) const BATCH: usize = 32;
/// The longest word that is asked for together with others.
pub(super) const SHORT: usize = 15;

/// A bit for each byte of a stretch of text, of the block before it and of the one behind it.
pub(super) type Mask = [u64; BLOCKS + 2];

/// The same of the stretch alone.
pub(super) type Bits = [u64; BLOCKS];

/// Words of a stretch, or what of them are to be asked for: where each begins, counted from some base, and its length.
pub(super) struct Words {
    pub starts: [u16; Words::ROOM],
    pub lengths: [u8; Words::ROOM],
}

impl Words {
    const ROOM: usize = BLOCKS * 64 + 128;

    pub fn new() -> Box<Words> {
        Box::new(Words { starts: [0; Words::ROOM], lengths: [0; Words::ROOM] })
    }
}

/// Where runs of a stretch begin and end, as many of the one as of the other but perhaps one that goes on.
pub(super) struct Runs<'a> {
    pub starts: &'a [u64],
    pub ends: &'a [u64],
    /// Set at the ends of runs that are wanted at all, and of those that hold a letter.
    pub wanted: &'a [u64],
    pub lettered: &'a [u64],
    /// Where, from the base on, the run began that was not ended before.
    pub open: Option<u16>,
    /// Where, from the base on, the stretch begins.
    pub lead: u16,
    /// Which lengths are wanted, of runs without letters and of others; the last stands for all above.
    pub lengths: &'a [[u8; 64]; 2],
}

/// What was made of the runs.
pub(super) struct Taken {
    /// How many words are asked for together with others.
    pub words: usize,
    /// How many are too long for that.
    pub long: usize,
    /// Where the last run began, if it goes on.
    pub open: Option<u16>,
}

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// What each byte of a stretch is: a bit in every class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Classes {
    pub digit: Mask,
    pub alpha: Mask,
    pub dot: Mask,
    /// `-` and `_`
    pub dash: Mask,
    pub plus: Mask,
    pub slash: Mask,
    /// space, `(` and `)`
    pub blank: Mask,
    /// What begins an escape: `%`, `=`, `&`, `\`
    pub intro: Mask,
    pub back: Mask,
    /// `@`
    pub sign: Mask,
    /// `'`
    pub quote: Mask,
    /// Bytes beyond ASCII.
    pub high: Mask,
    /// Letters and digits.
    pub alnum: Mask,
    /// What a word is made of: letters, digits, `.`, `-`, `_`, bytes beyond ASCII.
    pub word: Mask,
    /// What a number may hold, or what may begin a separator of several bytes in it.
    pub number: Mask,
    /// What a digest in base64 may hold.
    pub base64: Mask,
}

/// The classes of one block.
type Block = [u64; 12];

impl Classes {
    pub fn new() -> Box<Classes> {
        let none = [0; BLOCKS + 2];
        Box::new(Classes {
            digit: none,
            alpha: none,
            dot: none,
            dash: none,
            plus: none,
            slash: none,
            blank: none,
            intro: none,
            back: none,
            sign: none,
            quote: none,
            high: none,
            alnum: none,
            word: none,
            number: none,
            base64: none,
        })
    }

    /// Notes what the bytes of a block are.
    #[inline(always)]
    fn put(&mut self, number: usize, block: Block) {
        let [digit, alpha, dot, dash, plus, slash, blank, intro, back, sign, quote, high] = block;
        self.digit[number] = digit;
        self.alpha[number] = alpha;
        self.dot[number] = dot;
        self.dash[number] = dash;
        self.plus[number] = plus;
        self.slash[number] = slash;
        self.blank[number] = blank;
        self.intro[number] = intro;
        self.back[number] = back;
        self.sign[number] = sign;
        self.quote[number] = quote;
        self.high[number] = high;
        let (alnum, marks) = (digit | alpha, dot | dash);
        self.alnum[number] = alnum;
        self.word[number] = alnum | marks | high;
        self.number[number] = digit | marks | plus | slash | blank | high | intro;
        self.base64[number] = alnum | dash | plus | slash | back;
    }

    /// The block at this number becomes the one before the next stretch.
    pub fn go_on(&mut self, number: usize) {
        let Classes {
            digit,
            alpha,
            dot,
            dash,
            plus,
            slash,
            blank,
            intro,
            back,
            sign,
            quote,
            high,
            alnum,
            word,
            number: numbers,
            base64,
        } = self;
        for mask in
            [digit, alpha, dot, dash, plus, slash, blank, intro, back, sign, quote, high, alnum, word, numbers, base64]
        {
            mask[0] = mask[number];
        }
    }
}

/// For each byte of a block of the stretch, the bit of the byte that stands so many places further on.
#[inline(always)]
pub(super) fn ahead(mask: &Mask, block: usize, by: u32) -> u64 {
    mask[block + 1] >> by | mask[block + 2] << (64 - by)
}

/// The same of the byte that stands so many places before.
#[inline(always)]
pub(super) fn behind(mask: &Mask, block: usize, by: u32) -> u64 {
    mask[block + 1] << by | mask[block] >> (64 - by)
}

/// The bits of sixty-four bytes, from a place of the stretch on.
#[inline(always)]
pub(super) fn from(mask: &Mask, place: u16) -> u64 {
    let block = usize::from(place / 64) % BLOCKS;
    ((u128::from(mask[block + 2]) << 64 | u128::from(mask[block + 1])) >> (place % 64)) as u64
}

/// The bits of the sixty-four bytes before a place; the one right before it is the highest.
#[inline(always)]
pub(super) fn before(mask: &Mask, place: u16) -> u64 {
    let block = usize::from(place / 64) % BLOCKS;
    ((u128::from(mask[block + 1]) << 64 | u128::from(mask[block])) >> (place % 64)) as u64
}

/// A bit at the end of each run in which one of these bits stands. Added to a run, a bit carries as far as its end;
/// `carry` is what goes over the stretch's border.
#[inline(always)]
pub(super) fn flood(blocks: usize, run: &Mask, bits: &Bits, carry: &mut bool) -> Bits {
    let blocks = blocks.min(BLOCKS);
    let (mut sums, mut over) = ([0; BLOCKS], [0; BLOCKS + 1]);
    over[0] = u64::from(*carry);
    for block in 0..blocks {
        let run = run[block + 1];
        let sum = run.wrapping_add(bits[block] & run);
        sums[block] = sum;
        over[block + 1] = u64::from(sum < run);
    }
    let (mut ends, mut chained) = ([0; BLOCKS], 0);
    for block in 0..blocks {
        let sum = sums[block].wrapping_add(over[block]);
        chained |= u64::from(sum < over[block]);
        ends[block] = sum & !run[block + 1];
    }
    if chained == 0 {
        *carry = over[blocks] != 0;
        return ends;
    }
    // A run that fills a whole block hands on what was carried into it.
    let mut carried = *carry;
    for block in 0..blocks {
        let (sum, more) = sums[block].overflowing_add(u64::from(carried));
        ends[block] = sum & !run[block + 1];
        carried = more | (over[block + 1] != 0);
    }
    *carry = carried;
    ends
}

impl Isa {
    /// Those that this machine has, the widest last.
    pub fn all() -> Vec<Isa> {
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::is_here() {
                all.push(Isa::Avx2);
            }
            if avx512::is_here() {
                all.push(Isa::Avx512);
            }
        }
        all
    }

    /// The widest that this machine has.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::is_here() {
                return Isa::Avx512;
            }
            if avx2::is_here() {
                return Isa::Avx2;
            }
        }
        Isa::Portable
    }

    /// Does some work that was written for every machine, compiled for these instructions.
    #[inline(always)]
    pub(super) fn with<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Isa::Portable => work(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::with(work),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::with(work),
        }
    }

    /// Which of these words, thirty-two at most, pass the sieve: a bit each. They stand in `text`.
    #[inline(always)]
    pub(super) fn sift(self, key: &ClueKey, sieve: Sieve<'_>, text: &[u8], starts: &[u16], lengths: &[u8]) -> u32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::sift(key, sieve, text, starts, lengths),
            _ => portable::sift(key, sieve, text, starts, lengths),
        }
    }

    /// Lists the words among these runs that are wanted, and the ends of those that are too long for `words`.
    #[inline(always)]
    pub(super) fn take(self, runs: &Runs<'_>, words: &mut Words, long: &mut [u16]) -> Taken {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::take(runs, words, long),
            _ => portable::take(runs, words, long),
        }
    }

    /// Lists the places of the bits of these masks, in order; answers how many there are. The list has room for all that
    /// can be, and for sixty-four more.
    #[inline(always)]
    pub(super) fn list(self, masks: &[u64], places: &mut [u16]) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::list(masks, places),
            _ => portable::list(masks, places),
        }
    }

    /// Classifies a stretch and what is behind it, at most sixty-five blocks, as the second block and those that follow;
    /// answers how many are the stretch's own. What is beyond its end is of no class.
    pub(super) fn classify(self, text: &[u8], classes: &mut Classes) -> usize {
        let (whole, rest) = text.as_chunks::<64>();
        debug_assert!(whole.len() <= BLOCKS + 1);
        match self {
            Isa::Portable => portable::classify(whole, classes),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::classify(whole, classes),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::classify(whole, classes),
        }
        let mut next = whole.len() + 1;
        if !rest.is_empty() {
            let mut padded = [0; 64];
            padded[..rest.len()].copy_from_slice(rest);
            classes.put(next, portable::block(&padded));
            next += 1;
        }
        if next < BLOCKS + 2 {
            classes.put(next, [0; 12]);
        }
        text.len().div_ceil(64).min(BLOCKS)
    }
}

/// Has memory fetch this, which will be looked at soon.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::clue;
    use proptest::prelude::*;

    /// A word's starts and ends, and its bits.
    fn ends_of(text: &[u8]) -> (Vec<u64>, Vec<u64>, Vec<u64>, Vec<u64>) {
        let (mut starts, mut ends, mut wanted, mut lettered) =
            (vec![0; BLOCKS], vec![0; BLOCKS], vec![0; BLOCKS], vec![0; BLOCKS]);
        let set = |bits: &mut Vec<u64>, place: usize| {
            if let Some(bits) = bits.get_mut(place / 64) {
                *bits |= 1 << (place % 64);
            }
        };
        let mut begun = None;
        for (place, byte) in text.iter().chain(b" ").enumerate() {
            match (begun, byte.is_ascii_alphanumeric()) {
                (None, true) => {
                    set(&mut starts, place);
                    begun = Some(place);
                }
                (Some(start), false) => {
                    set(&mut ends, place);
                    if text[start..place].iter().any(u8::is_ascii_alphabetic) {
                        set(&mut lettered, place);
                    }
                    if *byte != b'!' {
                        set(&mut wanted, place);
                    }
                    begun = None;
                }
                _ => {}
            }
        }
        (starts, ends, wanted, lettered)
    }

    proptest! {
        #[test]
        fn every_path_sees_the_same(text in prop::collection::vec(any::<u8>(), 0..400)) {
            let classify = |isa: Isa| {
                let mut classes = Classes::new();
                let blocks = isa.classify(&text, &mut classes);
                (blocks, classes)
            };
            let expected = classify(Isa::Portable);
            for isa in Isa::all() {
                prop_assert_eq!(classify(isa), expected.clone(), "{:?}", isa);
            }
        }

        #[test]
        fn every_path_sifts_alike(
            text in prop::collection::vec(any::<u8>(), 16..200),
            words in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..16), 0..BATCH),
            kept in any::<u32>(),
        ) {
            let (starts, lengths): (Vec<u16>, Vec<u8>) =
                words.iter().map(|(start, length)| (start.index(text.len() - length + 1) as u16, *length as u8)).unzip();
            let key = ClueKey::new(blake3::hash(b"a key").as_bytes());
            let word = |number: usize| &text[usize::from(starts[number])..][..usize::from(lengths[number])];
            let mut bytes = vec![0; crate::index::sieve::length_for(words.len())];
            for number in (0..words.len()).filter(|number| kept >> number & 1 == 1) {
                crate::index::sieve::add(&mut bytes, key.hash(clue::word(word(number))));
            }
            let sieve = Sieve::new(&bytes).unwrap();
            let expected = (0..words.len())
                .filter(|number| sieve.passes(key.hash(clue::word(word(*number)))))
                .fold(0_u32, |bits, number| bits | 1 << number);
            for isa in Isa::all() {
                prop_assert_eq!(isa.sift(&key, sieve, &text, &starts, &lengths), expected, "{:?}", isa);
            }
        }

        #[test]
        fn every_path_takes_the_same_words(
            text in "([a-z]{1,20}|[0-9]{1,20}|[ab1]{50,150}|[ !]){0,200}",
            open in prop::option::of(0_u16..64),
            wanted in any::<[u64; 2]>(),
        ) {
            let text = &text.as_bytes()[..text.len().min(BLOCKS * 64)];
            // What is open was begun before, so that the stretch begins within a word or right behind it.
            let text = if open.is_some() { [b"a ", text].concat() } else { [b" ", text].concat() };
            let text = &text[..text.len().min(BLOCKS * 64)];
            let (mut starts, ends, wants, lettered) = ends_of(text);
            if open.is_some() {
                starts[0] &= !1;
            }
            let lengths = wanted.map(|wanted| std::array::from_fn(|length| (wanted >> length & 1) as u8));
            let runs =
                Runs { starts: &starts, ends: &ends, wanted: &wants, lettered: &lettered, open, lead: 64, lengths: &lengths };
            let take = |isa: Isa| {
                let (mut words, mut long) = (Words::new(), vec![0; BLOCKS * 64]);
                let taken = isa.take(&runs, &mut words, &mut long);
                (
                    words.starts[..taken.words].to_vec(),
                    words.lengths[..taken.words].to_vec(),
                    long[..taken.long].to_vec(),
                    taken.open,
                )
            };
            let expected = take(Isa::Portable);
            for isa in Isa::all() {
                prop_assert_eq!(take(isa), expected.clone(), "{:?}", isa);
            }
        }

        #[test]
        fn every_path_lists_alike(masks in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 0..9)) {
            let expected: Vec<u16> = (0..masks.len() * 64)
                .filter(|place| masks[place / 64] >> (place % 64) & 1 == 1)
                .map(|place| place as u16)
                .collect();
            for isa in Isa::all() {
                let mut places = vec![0; masks.len() * 64 + 64];
                let count = isa.list(&masks, &mut places);
                prop_assert_eq!(&places[..count], &expected[..], "{:?}", isa);
            }
        }

        #[test]
        fn bits_are_carried_to_the_ends_of_their_runs(
            runs in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), any::<u64>().prop_map(|bits| !(1 << (bits % 64)))], 1..=BLOCKS),
            bits in prop::collection::vec(prop_oneof![Just(0), any::<u64>(), any::<u64>().prop_map(|bits| 1 << (bits % 64))], BLOCKS),
            mut carry in any::<bool>(),
        ) {
            let mut run = [0; BLOCKS + 2];
            run[1..=runs.len()].copy_from_slice(&runs);
            let bits: Bits = bits.try_into().unwrap();
            let (mut expected, mut set) = ([0; BLOCKS], carry);
            for place in 0..runs.len() * 64 {
                let (block, bit) = (place / 64, 1 << (place % 64));
                if runs[block] & bit == 0 {
                    expected[block] |= if set { bit } else { 0 };
                    set = false;
                } else {
                    set |= bits[block] & bit != 0;
                }
            }
            prop_assert_eq!(flood(runs.len(), &run, &bits, &mut carry), expected);
            prop_assert_eq!(carry, set);
        }
    }

    #[test]
    fn every_byte_is_of_its_class() {
        let all: Vec<u8> = (0..=255).collect();
        for isa in Isa::all() {
            let mut here = Classes::new();
            assert_eq!(isa.classify(&all, &mut here), 4);
            for byte in 0..=255_u8 {
                let is = |mask: &Mask| mask[usize::from(byte) / 64 + 1] >> (byte % 64) & 1 == 1;
                assert_eq!(is(&here.digit), byte.is_ascii_digit());
                assert_eq!(is(&here.alpha), byte.is_ascii_alphabetic());
                assert_eq!(is(&here.dot), byte == b'.');
                assert_eq!(is(&here.dash), matches!(byte, b'-' | b'_'));
                assert_eq!(is(&here.plus), byte == b'+');
                assert_eq!(is(&here.slash), byte == b'/');
                assert_eq!(is(&here.blank), matches!(byte, b' ' | b'(' | b')'));
                assert_eq!(is(&here.intro), matches!(byte, b'%' | b'=' | b'&' | b'\\'));
                assert_eq!(is(&here.back), byte == b'\\');
                assert_eq!(is(&here.sign), byte == b'@');
                assert_eq!(is(&here.quote), byte == b'\'');
                assert_eq!(is(&here.high), byte >= 0x80);
                assert_eq!(is(&here.alnum), byte.is_ascii_alphanumeric());
                assert_eq!(is(&here.word), crate::index::tokens::within(byte));
                assert_eq!(is(&here.base64), byte.is_ascii_alphanumeric() || b"+/-_\\".contains(&byte));
            }
        }
    }
}
