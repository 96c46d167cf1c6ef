//! Finds words: user names, employee and badge numbers, link segments, and passwords without delimiters.

use super::scan::Search;
use crate::{index::canonical::canonical, marker::MarkerKind};

/// How long a word may be, in bytes.
pub(super) const LENGTHS: std::ops::RangeInclusive<usize> = 4..=128;

/// Whether a byte can stand within a user name or a number.
pub(super) fn within(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || byte >= 0x80
}

pub(super) fn find(search: &mut Search<'_>) {
    let text = search.text;
    let (mut at, mut before) = (0, None);
    while at < text.len() {
        if !within(text[at]) {
            at += 1;
            continue;
        }
        let end = text[at..].iter().position(|byte| !within(*byte)).map_or(text.len(), |length| at + length);
        try_run(search, at, end);
        if let Some(start) = before.filter(|start| joins(text, *start, at, end)) {
            try_number(search, start, end);
        }
        before = Some(at);
        at = end;
    }
}

/// Tries a run of such bytes, without the marks at its ends, without what follows its first dot, and behind an escape
/// such as `\n` or `%3A`.
pub(super) fn try_run(search: &mut Search<'_>, start: usize, end: usize) {
    let text = search.text;
    let marks =
        |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| matches!(byte, b'.' | b'-' | b'_')).count();
    let inner_start = start + marks(&mut text[start..end].iter());
    let inner_end = end - marks(&mut text[inner_start..end].iter().rev());
    let mut ranges = vec![(start, end)];
    let mut add = |range: (usize, usize)| {
        if range.0 < range.1 && !ranges.contains(&range) {
            ranges.push(range);
        }
    };
    add((inner_start, inner_end));
    if let Some(dot) = text[inner_start..inner_end].iter().position(|byte| *byte == b'.') {
        add((inner_start, inner_start + dot));
    }
    match start.checked_sub(1).map(|before| text[before]) {
        Some(b'\\') => [1, 5].into_iter().for_each(|skipped| add((start + skipped, inner_end))),
        Some(b'%' | b'=') => add((start + 2, inner_end)),
        _ => {}
    }
    for (from, to) in ranges {
        if LENGTHS.contains(&(to - from)) {
            try_word(search, from, to);
        }
    }
}

/// Tries one word as everything that it may be. Words that look alike in several kinds are fingerprinted once.
fn try_word(search: &mut Search<'_>, start: usize, end: usize) {
    let text = search.text;
    let word = &text[start..end];
    let mut mac = None;
    search.try_in(&mut mac, MarkerKind::Password, word, start, end);
    let folded = if !word.is_ascii() {
        std::str::from_utf8(word).ok().and_then(|word| canonical(MarkerKind::Username, word)).map(String::into_bytes)
    } else {
        word.iter().any(u8::is_ascii_uppercase).then(|| word.to_ascii_lowercase())
    };
    if folded.is_some() {
        mac = None;
    }
    let lower = folded.as_deref().unwrap_or(word);
    search.try_in(&mut mac, MarkerKind::Username, lower, start, end);
    search.try_in(&mut mac, MarkerKind::DocumentLink, lower, start, end);
    if word.len() <= 40 && word.iter().any(u8::is_ascii_digit) {
        try_number(search, start, end);
    }
}

/// Tries an employee or badge number.
pub(super) fn try_number(search: &mut Search<'_>, start: usize, end: usize) {
    let Ok(number) = std::str::from_utf8(&search.text[start..end]) else { return };
    let Some(number) = canonical(MarkerKind::EmployeeNumber, number) else { return };
    let mut mac = None;
    search.try_in(&mut mac, MarkerKind::EmployeeNumber, number.as_bytes(), start, end);
    search.try_in(&mut mac, MarkerKind::BadgeNumber, number.as_bytes(), start, end);
}

/// Whether two runs may be one number, written with a space or slash: `EMP 00123`.
pub(super) fn joins(text: &[u8], first: usize, second: usize, end: usize) -> bool {
    let between = text[first..second].iter().rev().take_while(|byte| !within(**byte)).count();
    between == 1
        && matches!(text[second - 1], b' ' | b'/')
        && second - first <= 8
        && end - second <= 16
        && text[second].is_ascii_digit()
}
