//! Every path does what the portable one does, and that does what it should.

use super::*;
use crate::index::clue;
use proptest::prelude::*;

/// A word's starts and ends, and its bits.
fn ends_of(text: &[u8]) -> (Bits, Bits, Bits, Bits) {
    let (mut starts, mut ends, mut wanted, mut lettered) = ([0; BLOCKS], [0; BLOCKS], [0; BLOCKS], [0; BLOCKS]);
    let set = |bits: &mut Bits, place: usize| {
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
            isa.classify(&text, &mut classes);
            classes.make_up();
            classes
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
        for place in 0..BLOCKS * 64 {
            let (block, bit) = (place / 64, 1 << (place % 64));
            if run[block + 1] & bit == 0 {
                expected[block] |= if set { bit } else { 0 };
                set = false;
            } else {
                set |= bits[block] & bit != 0;
            }
        }
        prop_assert_eq!(flood(&run, &bits, &mut carry), expected);
        prop_assert_eq!(carry, set);
    }
}

#[test]
fn every_byte_is_of_its_class() {
    let all: Vec<u8> = (0..=255).collect();
    for isa in Isa::all() {
        let mut here = Classes::new();
        isa.classify(&all, &mut here);
        here.make_up();
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
