//! AVX-512: one permutation looks up the class of sixty-four bytes.
#![allow(unsafe_code)]

use super::{BATCH, Classes, Runs, SHORT, Taken, Words, Work};
use crate::index::{
    clue::{self, ClueKey},
    sieve::Sieve,
};
use std::arch::x86_64::*;

pub(super) fn is_here() -> bool {
    super::avx2::is_here()
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// Does this work with these instructions.
#[inline]
pub(super) fn with(work: impl Work) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn here(work: impl Work) {
        work.run();
    }
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { here(work) }
}

/// The classes of the 128 bytes of ASCII, a bit each.
const fn table() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        let is = byte as u8;
        table[byte] = is.is_ascii_digit() as u8
            | (is.is_ascii_alphabetic() as u8) << 1
            | ((is == b'.') as u8) << 2
            | (matches!(is, b'-' | b'_') as u8) << 3
            | ((is == b'/') as u8) << 4
            | (matches!(is, b' ' | b'(' | b')') as u8) << 5
            | (matches!(is, b'%' | b'=' | b'&' | b'\\') as u8) << 6
            | ((is == b'@') as u8) << 7;
        byte += 1;
    }
    table
}

static TABLE: [u8; 128] = table();

pub(super) fn classify(text: &[[u8; 64]], from: usize, classes: &mut Classes) {
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { classify_here(text, from, classes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn classify_here(text: &[[u8; 64]], from: usize, classes: &mut Classes) {
    // SAFETY: the table is 128 bytes long, and loads need no alignment.
    let (low, high) =
        unsafe { (_mm512_loadu_si512(TABLE.as_ptr().cast()), _mm512_loadu_si512(TABLE[64..].as_ptr().cast())) };
    let bit = |number: u8| _mm512_set1_epi8((1_u8 << number).cast_signed());
    for (number, bytes) in text.iter().enumerate() {
        // SAFETY: sixty-four bytes are there.
        let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let beyond = _mm512_movepi8_mask(bytes);
        let is = _mm512_maskz_permutex2var_epi8(!beyond, low, bytes, high);
        let equal = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()));
        let block = [
            _mm512_test_epi8_mask(is, bit(0)),
            _mm512_test_epi8_mask(is, bit(1)),
            _mm512_test_epi8_mask(is, bit(2)),
            _mm512_test_epi8_mask(is, bit(3)),
            equal(b'+'),
            _mm512_test_epi8_mask(is, bit(4)),
            _mm512_test_epi8_mask(is, bit(5)),
            _mm512_test_epi8_mask(is, bit(6)),
            equal(b'\\'),
            _mm512_test_epi8_mask(is, bit(7)),
            equal(b'\''),
            beyond,
        ];
        classes.put(from + number, block);
    }
}

/// See `Isa::sift`: four words are hashed at a time.
#[inline]
pub(super) fn sift(key: &ClueKey, sieve: Sieve<'_>, text: &[u8], starts: &[u16], lengths: &[u8]) -> u32 {
    assert!(is_here() && starts.len() <= BATCH && starts.len() == lengths.len());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { sift_here(key, sieve, text, starts, lengths) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn sift_here(key: &ClueKey, sieve: Sieve<'_>, text: &[u8], starts: &[u16], lengths: &[u8]) -> u32 {
    let [a, b, c, d] = key.parts.map(u32::cast_signed);
    let parts = _mm512_set_epi32(d, c, b, a, d, c, b, a, d, c, b, a, d, c, b, a);
    let end = _mm512_set1_epi64(key.end.cast_signed());
    let tag = _mm512_set_epi32(TAG, 0, 0, 0, TAG, 0, 0, 0, TAG, 0, 0, 0, TAG, 0, 0, 0);
    let mut hashes = [[0_u64; 8]; BATCH / 4];
    let roomy = starts.iter().max().is_some_and(|last| usize::from(*last) + 16 <= text.len());
    for ((starts, lengths), hashes) in starts.chunks(4).zip(lengths.chunks(4)).zip(&mut hashes) {
        let blocks = match (starts.first_chunk::<4>(), lengths.first_chunk::<4>()) {
            // SAFETY: sixteen bytes are there from each place on.
            (Some(starts), Some(lengths)) if roomy => unsafe { load_four(text, starts, lengths) },
            _ => {
                let word = |number: usize| match (starts.get(number), lengths.get(number)) {
                    (Some(start), Some(length)) => load(text, *start, *length),
                    _ => _mm_setzero_si128(),
                };
                together([word(0), word(1), word(2), word(3)])
            }
        };
        let hash = hash_of(fold(blocks, tag), parts, end);
        // Both halves of each of four hold its hash.
        // SAFETY: eight words are sixty-four bytes.
        unsafe { _mm512_storeu_si512(hashes.as_mut_ptr().cast(), hash) };
        hashes.iter().step_by(2).for_each(|hash| sieve.fetch(*hash));
    }
    let first = _mm256_set_epi64x(30, 24, 12, 0);
    let second = _mm256_set_epi64x(30, 24, 18, 6);
    let mut passed = 0;
    for number in 0..starts.len() {
        let hash = hashes[number / 4][number % 4 * 2];
        // SAFETY: a block is thirty-two bytes, and loads need no alignment.
        let block = unsafe { _mm256_loadu_si256(sieve.block(hash).as_ptr().cast()) };
        let hash = _mm256_set1_epi64x(hash.cast_signed());
        // Each wanted bit becomes the lowest of its word.
        let bits = _mm256_and_si256(
            _mm256_rorv_epi64(block, _mm256_srlv_epi64(hash, first)),
            _mm256_rorv_epi64(block, _mm256_srlv_epi64(hash, second)),
        );
        let all = _mm256_test_epi64_mask(bits, _mm256_set1_epi64x(1)) == 0xf;
        passed |= u32::from(all) << number;
    }
    passed
}

/// See `Isa::take`: thirty-two runs at a time.
#[inline]
pub(super) fn take(runs: &Runs<'_>, words: &mut Words, long: &mut [u16]) -> Taken {
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { take_here(runs, words, long) }
}

/// What is known of a run at its end.
const WANTED: u8 = 1;
const LETTERED: u8 = 2;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn take_here(runs: &Runs<'_>, words: &mut Words, long: &mut [u16]) -> Taken {
    let Words { begun: starts, ended: ends, flags, .. } = words;
    let mut begun = 0;
    if let Some(open) = runs.open {
        starts[0] = open.wrapping_sub(runs.lead);
        begun = 1;
    }
    begun += list_here(runs.starts, &mut starts[begun..]);
    let ended = list_here(runs.ends, ends);
    let mut count = 0;
    let splat = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
    for ((end, wanted), lettered) in runs.ends.iter().zip(runs.wanted).zip(runs.lettered) {
        let flag = _mm512_or_si512(
            _mm512_maskz_mov_epi8(*wanted, splat(WANTED)),
            _mm512_maskz_mov_epi8(*lettered, splat(LETTERED)),
        );
        let room: &mut [u8; 64] = (&mut flags[count..count + 64]).try_into().expect("sixty-four of them");
        // SAFETY: there is room for sixty-four bytes.
        unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), _mm512_maskz_compress_epi8(*end, flag)) };
        count += end.count_ones() as usize;
    }
    // SAFETY: both tables are sixty-four bytes.
    let [digits, letters] = runs.lengths.each_ref().map(|table| unsafe { _mm512_loadu_si512(table.as_ptr().cast()) });
    let mut taken = Taken { words: 0, long: 0, open: None };
    for from in (0..ended).step_by(32) {
        // SAFETY: all three arrays have room beyond what was listed.
        let (start, end, flag) = unsafe {
            (
                _mm512_loadu_si512(starts[from..from + 32].as_ptr().cast()),
                _mm512_loadu_si512(ends[from..from + 32].as_ptr().cast()),
                _mm256_loadu_si256(flags[from..from + 32].as_ptr().cast()),
            )
        };
        let all = u32::MAX >> (32 - (ended - from).min(32));
        let length = _mm512_sub_epi16(end, start);
        let few = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(_mm512_min_epu16(length, _mm512_set1_epi16(63))));
        let one = _mm256_set1_epi8(1);
        let is =
            |table: __m512i| _mm256_test_epi8_mask(_mm512_castsi512_si256(_mm512_permutexvar_epi8(few, table)), one);
        let lettered = _mm256_test_epi8_mask(flag, _mm256_set1_epi8(LETTERED.cast_signed()));
        let wanted = _mm256_test_epi8_mask(flag, _mm256_set1_epi8(WANTED.cast_signed()));
        let known = all & wanted & (lettered & is(letters) | !lettered & is(digits));
        let short = _mm512_cmple_epu16_mask(length, _mm512_set1_epi16(SHORT as i16));
        let take = known & short;
        let start = _mm512_add_epi16(start, _mm512_set1_epi16(runs.lead.cast_signed()));
        let to = taken.words;
        // SAFETY: there is room for thirty-two more than all words.
        unsafe {
            let starts = words.starts[to..to + 32].as_mut_ptr();
            _mm512_storeu_si512(starts.cast(), _mm512_maskz_compress_epi16(take, start));
            let lengths = words.lengths[to..to + 32].as_mut_ptr();
            let some = _mm256_maskz_compress_epi8(take, _mm512_castsi512_si256(few));
            _mm256_storeu_si256(lengths.cast(), some);
        }
        taken.words += take.count_ones() as usize;
        let mut others = known & !short;
        while others != 0 {
            long[taken.long] = ends[from + others.trailing_zeros() as usize];
            taken.long += 1;
            others &= others - 1;
        }
    }
    taken.open = (begun > ended).then(|| starts[begun - 1].wrapping_add(runs.lead));
    taken
}

/// The tag of a short word, in the highest byte.
const TAG: i32 = (clue::WORD as i32) << 24;

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load(text: &[u8], start: u16, length: u8) -> __m128i {
    let word = &text[usize::from(start)..][..usize::from(length)];
    debug_assert!(word.len() <= 15);
    // SAFETY: only the word's own bytes are read.
    unsafe { _mm_maskz_loadu_epi8(((1_u32 << length) - 1) as u16, word.as_ptr().cast()) }
}

/// Sixteen bytes that are set, and as many that are not: from the right place on, as many as wanted are.
static KEPT: [u8; 32] = {
    let mut kept = [0; 32];
    let mut number = 0;
    while number < 16 {
        kept[number] = 0xff;
        number += 1;
    }
    kept
};

/// Four words, and zeros behind each.
///
/// # Safety
/// From each place on there are sixteen bytes in the text.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_four(text: &[u8], starts: &[u16; 4], lengths: &[u8; 4]) -> __m512i {
    // SAFETY: the caller's promise; of the mask, sixteen bytes are there from any place up to sixteen on.
    let words = unsafe {
        [0, 1, 2, 3].map(|number| {
            let word = _mm_loadu_si128(text.as_ptr().add(usize::from(starts[number])).cast());
            let kept = _mm_loadu_si128(KEPT.as_ptr().add(16 - usize::from(lengths[number] & 15)).cast());
            _mm_and_si128(word, kept)
        })
    };
    together(words)
}

#[target_feature(enable = "avx512f")]
fn together([first, second, third, fourth]: [__m128i; 4]) -> __m512i {
    let words = _mm512_castsi128_si512(first);
    let words = _mm512_inserti32x4::<1>(words, second);
    let words = _mm512_inserti32x4::<2>(words, third);
    _mm512_inserti32x4::<3>(words, fourth)
}

/// In small letters, with the tag of a word.
#[target_feature(enable = "avx512f,avx512bw")]
fn fold(blocks: __m512i, tag: __m512i) -> __m512i {
    let splat = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
    let capital = _mm512_cmple_epu8_mask(_mm512_sub_epi8(blocks, splat(b'A')), splat(25));
    _mm512_or_si512(_mm512_mask_add_epi8(blocks, capital, blocks, splat(0x20)), tag)
}

#[target_feature(enable = "avx512f,avx512dq")]
fn hash_of(blocks: __m512i, parts: __m512i, end: __m512i) -> __m512i {
    let sums = _mm512_add_epi32(blocks, parts);
    let products = _mm512_mul_epu32(sums, _mm512_srli_epi64::<32>(sums));
    let sum = _mm512_add_epi64(products, _mm512_shuffle_epi32::<0b0100_1110>(products));
    let mixed = _mm512_mullo_epi64(_mm512_xor_si512(sum, _mm512_srli_epi64::<32>(sum)), end);
    _mm512_xor_si512(mixed, _mm512_srli_epi64::<32>(mixed))
}

/// See `Isa::list`.
#[inline]
pub(super) fn list(masks: &[u64], places: &mut [u16]) -> usize {
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { list_here(masks, places) }
}

/// The numbers from zero to sixty-three.
static NUMBERS: [u8; 64] = {
    let mut numbers = [0; 64];
    let mut number = 0;
    while number < 64 {
        numbers[number] = number as u8;
        number += 1;
    }
    numbers
};

/// Which of up to eight masks hold a bit.
#[target_feature(enable = "avx512f")]
fn filled(masks: &[u64]) -> u8 {
    match masks.first_chunk::<8>() {
        Some(masks) => {
            // SAFETY: eight words are sixty-four bytes.
            let masks = unsafe { _mm512_loadu_si512(masks.as_ptr().cast()) };
            _mm512_test_epi64_mask(masks, masks)
        }
        None => masks.iter().enumerate().fold(0, |bits, (number, mask)| bits | u8::from(*mask != 0) << number),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn list_here(masks: &[u64], places: &mut [u16]) -> usize {
    // SAFETY: sixty-four bytes are there.
    let numbers = unsafe { _mm512_loadu_si512(NUMBERS.as_ptr().cast()) };
    let (mut count, mut number) = (0, 0);
    for eight in masks.chunks(8) {
        let mut blocks = filled(eight);
        while blocks != 0 {
            let block = blocks.trailing_zeros() as usize;
            blocks &= blocks - 1;
            let mask = eight[block % eight.len()];
            let some = _mm512_maskz_compress_epi8(mask, numbers);
            let base = _mm512_set1_epi16(((number + block) * 64) as i16);
            let room: &mut [u16; 64] = (&mut places[count..count + 64]).try_into().expect("sixty-four of them");
            let low = _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(some)), base);
            // SAFETY: thirty-two places are sixty-four bytes, and there are as many again.
            unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), low) };
            let many = mask.count_ones() as usize;
            if many > 32 {
                let high = _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(some)), base);
                // SAFETY: as above.
                unsafe { _mm512_storeu_si512(room[32..].as_mut_ptr().cast(), high) };
            }
            count += many;
        }
        number += 8;
    }
    count
}
