//! AVX-512: one permutation looks up the class of sixty-four bytes.
#![allow(unsafe_code)]

use super::Classes;
use std::arch::x86_64::{
    _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_maskz_permutex2var_epi8, _mm512_movepi8_mask, _mm512_set1_epi8,
    _mm512_test_epi8_mask,
};

pub(super) fn is_here() -> bool {
    super::avx2::is_here() && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi")
}

/// Does this work with these instructions.
#[inline]
pub(super) fn with<R>(work: impl FnOnce() -> R) -> R {
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn here<R>(work: impl FnOnce() -> R) -> R {
        work()
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

pub(super) fn classify(text: &[[u8; 64]], classes: &mut [Classes]) {
    assert!(is_here());
    // SAFETY: the machine has what the function is compiled for.
    unsafe { classify_here(text, classes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn classify_here(text: &[[u8; 64]], classes: &mut [Classes]) {
    // SAFETY: the table is 128 bytes long, and loads need no alignment.
    let (low, high) =
        unsafe { (_mm512_loadu_si512(TABLE.as_ptr().cast()), _mm512_loadu_si512(TABLE[64..].as_ptr().cast())) };
    let bit = |number: u8| _mm512_set1_epi8((1_u8 << number).cast_signed());
    for (bytes, classes) in text.iter().zip(classes) {
        // SAFETY: sixty-four bytes are there.
        let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let beyond = _mm512_movepi8_mask(bytes);
        let is = _mm512_maskz_permutex2var_epi8(!beyond, low, bytes, high);
        *classes = Classes {
            digit: _mm512_test_epi8_mask(is, bit(0)),
            alpha: _mm512_test_epi8_mask(is, bit(1)),
            dot: _mm512_test_epi8_mask(is, bit(2)),
            dash: _mm512_test_epi8_mask(is, bit(3)),
            plus: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'+'.cast_signed())),
            slash: _mm512_test_epi8_mask(is, bit(4)),
            blank: _mm512_test_epi8_mask(is, bit(5)),
            intro: _mm512_test_epi8_mask(is, bit(6)),
            back: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\'.cast_signed())),
            sign: _mm512_test_epi8_mask(is, bit(7)),
            quote: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\''.cast_signed())),
            high: beyond,
        };
    }
}
