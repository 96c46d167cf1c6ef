//! Finds numbers that are written with or without separators: phones, NIR, IBAN.

use super::{
    canonical::{Mod97, is_digit_of_nir, is_iban_start, nir, phone, separator},
    scan::Search,
};
use crate::marker::MarkerKind;

/// How many separators may follow each other: `+33 (0)6` has two, a doubled space two.
const SEPARATORS: usize = 3;

pub(super) fn find(search: &mut Search<'_>) {
    let text = search.text;
    for at in 0..text.len() {
        match text[at] {
            b'0'..=b'9' if search.begins_at(at) => {
                // A percent-encoded plus is read as one.
                let plus = text[..at].ends_with(b"%2B") || text[..at].ends_with(b"%2b");
                find_digits(search, at, at, plus);
            }
            b'+' => find_digits(search, at, at + 1, true),
            b'a'..=b'z' | b'A'..=b'Z' if is_iban_start(&text[at..]) => find_iban(search, at),
            _ => {}
        }
    }
}

/// Skips separators; none if there are too many.
fn skip(text: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..=SEPARATORS {
        match separator(text.get(at..)?) {
            Some(length) => at += length,
            None => return Some(at),
        }
    }
    None
}

/// Reads digits from `from` on, and tries each number of them that makes a phone or an NIR.
fn find_digits(search: &mut Search<'_>, start: usize, from: usize, plus: bool) {
    let text = search.text;
    let mut digits = Vec::with_capacity(18);
    let mut at = from;
    while let Some(&byte) = text.get(at).filter(|byte| is_digit_of_nir(&digits, **byte) && digits.len() < 18) {
        digits.push(byte.to_ascii_uppercase());
        at += 1;
        if digits.len() >= 8 && search.ends_at(at) {
            if let Some(canonical) = phone(&digits, plus) {
                search.try_plain(MarkerKind::Phone, canonical.as_bytes(), start, at);
            }
            if let Some(canonical) = nir(&digits).filter(|_| !plus) {
                search.try_plain(MarkerKind::Nir, canonical.as_bytes(), start, at);
            }
        }
        match skip(text, at) {
            Some(next) => at = next,
            None => break,
        }
    }
}

/// Reads an IBAN from `start` on, at every length at which its check digits agree.
fn find_iban(search: &mut Search<'_>, start: usize) {
    let text = search.text;
    let labelled = start >= 4 && text[start - 4..start].eq_ignore_ascii_case(b"iban");
    if !labelled && !search.begins_at(start) {
        return;
    }
    let mut canonical = Vec::with_capacity(34);
    let mut sum = Mod97::default();
    let mut at = start;
    while let Some((&byte, next_sum)) = text.get(at).and_then(|byte| Some((byte, sum.then(*byte)?))) {
        canonical.push(byte.to_ascii_uppercase());
        sum = next_sum;
        at += 1;
        if canonical.len() >= 15 && sum.is_iban() && search.ends_at(at) {
            search.try_plain(MarkerKind::Iban, &canonical, start, at);
        }
        match skip(text, at) {
            Some(next) if canonical.len() < 34 => at = next,
            _ => break,
        }
    }
}
