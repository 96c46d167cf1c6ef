//! Finds numbers that are written with or without separators: phones, NIR, IBAN.

use super::{
    canonical::{Mod97, is_digit_of_nir, is_iban_start, nir, phone, separator},
    scan::{Search, ends_at},
};
use crate::marker::MarkerKind;

/// How many separators may follow each other: `+33 (0)6` has two, a doubled space two.
const SEPARATORS: usize = 3;

pub(super) fn find(search: &mut Search<'_>) {
    let text = search.text;
    for at in 0..text.len() {
        try_at(search, at);
    }
}

/// Tries the number that begins at this place, if one does.
pub(super) fn try_at(search: &mut Search<'_>, at: usize) {
    let text = search.text;
    match text[at] {
        b'0'..=b'9' if search.begins_at(at) => find_digits(search, at, at, behind_plus(text, at)),
        b'+' => find_digits(search, at, at + 1, true),
        b'a'..=b'z' | b'A'..=b'Z' if is_iban_start(&text[at..]) => find_iban(search, at),
        _ => {}
    }
}

/// A percent-encoded plus is read as one.
pub(super) fn behind_plus(text: &[u8], at: usize) -> bool {
    text[..at].ends_with(b"%2B") || text[..at].ends_with(b"%2b")
}

/// Skips separators; none if there are too many.
pub(super) fn skip(text: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..=SEPARATORS {
        match separator(text.get(at..)?) {
            Some(length) => at += length,
            None => return Some(at),
        }
    }
    None
}

fn find_digits(search: &mut Search<'_>, start: usize, from: usize, plus: bool) {
    each_number(search.text, from, plus, |kind, canonical, end| {
        search.try_plain(kind, canonical, start, end);
    });
}

/// Reads digits from `from` on, and shows each number of them that makes a phone or an NIR, with its end.
#[inline]
pub(super) fn each_number(text: &[u8], from: usize, plus: bool, mut visit: impl FnMut(MarkerKind, &[u8], usize)) {
    let (mut digits, mut count) = ([0; 18], 0);
    let mut at = from;
    while let Some(&byte) = text.get(at).filter(|byte| count < 18 && is_digit_of_nir(&digits[..count], **byte)) {
        digits[count] = byte.to_ascii_uppercase();
        count += 1;
        at += 1;
        if count >= 8 && ends_at(text, at) {
            let digits = &digits[..count];
            if let Some(canonical) = phone(digits, plus) {
                visit(MarkerKind::Phone, &canonical, at);
            }
            if let Some(canonical) = nir(digits).filter(|_| !plus) {
                visit(MarkerKind::Nir, canonical, at);
            }
        }
        // Most digits follow each other.
        if text.get(at).is_none_or(|byte| !byte.is_ascii_digit()) {
            match skip(text, at) {
                Some(next) => at = next,
                None => break,
            }
        }
    }
}

/// Reads an IBAN from `start` on, at every length at which its check digits agree.
fn find_iban(search: &mut Search<'_>, start: usize) {
    let text = search.text;
    if !labelled(text, start) && !search.begins_at(start) {
        return;
    }
    let mut canonical = Vec::with_capacity(34);
    let mut sum = Mod97::default();
    let mut at = start;
    while let Some((&byte, next_sum)) = text.get(at).and_then(|byte| Some((byte, sum.then(*byte)?))) {
        canonical.push(byte.to_ascii_uppercase());
        sum = next_sum;
        at += 1;
        if canonical.len() >= 15 && sum.is_iban() && ends_at(text, at) {
            search.try_plain(MarkerKind::Iban, &canonical, start, at);
        }
        match skip(text, at) {
            Some(next) if canonical.len() < 34 => at = next,
            _ => break,
        }
    }
}

/// Whether `IBAN` stands right before.
pub(super) fn labelled(text: &[u8], start: usize) -> bool {
    start >= 4 && text[start - 4..start].eq_ignore_ascii_case(b"iban")
}
