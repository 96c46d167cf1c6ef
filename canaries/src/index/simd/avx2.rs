//! AVX2: comparisons, thirty-two bytes at a time.
#![allow(unsafe_code)]

use super::{Classes, Work};
use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8, _mm256_sub_epi8,
};

pub(super) fn is_here() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Does this work with these instructions.
#[inline]
pub(super) fn with(work: impl Work) {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn here(work: impl Work) {
        work.run();
    }
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { here(work) }
}

pub(super) fn classify(text: &[[u8; 64]], from: usize, classes: &mut Classes) {
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { classify_here(text, from, classes) }
}

/// Both halves of sixty-four bytes.
type Pair = [__m256i; 2];

#[target_feature(enable = "avx2")]
fn classify_here(text: &[[u8; 64]], from: usize, classes: &mut Classes) {
    for (number, bytes) in text.iter().enumerate() {
        let (first, second) = bytes.split_at(32);
        // SAFETY: each half is thirty-two bytes long, and loads need no alignment.
        let pair = unsafe { [_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(second.as_ptr().cast())] };
        let back = equal(pair, b'\\');
        let intro = equal(pair, b'%') | equal(pair, b'=') | equal(pair, b'&') | back;
        let block = [
            within(pair, b'0', 9),
            within(pair.map(|half| or(half, splat(0x20))), b'a', 25),
            equal(pair, b'.'),
            equal(pair, b'-') | equal(pair, b'_'),
            equal(pair, b'+'),
            equal(pair, b'/'),
            // Brackets differ in one bit.
            equal(pair, b' ') | equal(pair.map(|half| or(half, splat(1))), b')'),
            intro,
            back,
            equal(pair, b'@'),
            equal(pair, b'\''),
            bits(pair),
        ];
        classes.put(from + number, block);
    }
}

#[target_feature(enable = "avx2")]
fn splat(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte.cast_signed())
}

#[target_feature(enable = "avx2")]
fn or(one: __m256i, other: __m256i) -> __m256i {
    _mm256_or_si256(one, other)
}

/// The highest bit of each byte.
#[target_feature(enable = "avx2")]
fn bits(pair: Pair) -> u64 {
    let [low, high] = pair.map(|half| u64::from(_mm256_movemask_epi8(half).cast_unsigned()));
    low | high << 32
}

#[target_feature(enable = "avx2")]
fn equal(pair: Pair, byte: u8) -> u64 {
    bits(pair.map(|half| _mm256_cmpeq_epi8(half, splat(byte))))
}

/// Which bytes are at most `span` above `first`.
#[target_feature(enable = "avx2")]
fn within(pair: Pair, first: u8, span: u8) -> u64 {
    bits(pair.map(|half| {
        let above = _mm256_sub_epi8(half, splat(first));
        _mm256_cmpeq_epi8(_mm256_min_epu8(above, splat(span)), above)
    }))
}
