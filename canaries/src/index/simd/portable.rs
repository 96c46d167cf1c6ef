//! The path of every machine: a table.

use super::Classes;

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let is = byte as u8;
        table[byte] = is.is_ascii_digit() as u16
            | (is.is_ascii_alphabetic() as u16) << 1
            | ((is == b'.') as u16) << 2
            | (matches!(is, b'-' | b'_') as u16) << 3
            | ((is == b'+') as u16) << 4
            | ((is == b'/') as u16) << 5
            | (matches!(is, b' ' | b'(' | b')') as u16) << 6
            | (matches!(is, b'%' | b'=' | b'&' | b'\\') as u16) << 7
            | ((is == b'\\') as u16) << 8
            | ((is == b'@') as u16) << 9
            | ((is >= 0x80) as u16) << 10
            | ((is == b'\'') as u16) << 11;
        byte += 1;
    }
    table
}

static TABLE: [u16; 256] = table();

pub(super) fn classify(text: &[[u8; 64]], classes: &mut [Classes]) {
    for (bytes, classes) in text.iter().zip(classes) {
        let mut masks = [0_u64; 12];
        for (at, byte) in bytes.iter().enumerate() {
            let is = TABLE[usize::from(*byte)];
            for (class, mask) in masks.iter_mut().enumerate() {
                *mask |= u64::from(is >> class & 1) << at;
            }
        }
        let [digit, alpha, dot, dash, plus, slash, blank, intro, back, sign, high, quote] = masks;
        *classes = Classes { digit, alpha, dot, dash, plus, slash, blank, intro, back, sign, quote, high };
    }
}
