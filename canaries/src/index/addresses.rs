//! Finds mail addresses: from each at-sign, however it is written, outwards over what an address may hold.

use super::{
    canonical::is_local,
    escapes::{Decoded, Flavour, verbatim},
    scan::Search,
};
use crate::marker::MarkerKind;
use memchr::{memchr_iter, memmem};

/// How far an address reaches to each side of its at-sign, escapes included.
const REACH: usize = 240;

/// The escapes that stand for an at-sign.
pub(super) const WRITTEN: [(&[u8], Flavour); 9] = [
    (b"%40", Flavour::Percent),
    (b"=40", Flavour::QuotedPrintable),
    (b"\\u0040", Flavour::Backslash),
    (b"\\x40", Flavour::Backslash),
    (b"\\@", Flavour::Backslash),
    (b"&#64;", Flavour::Entity),
    (b"&#064;", Flavour::Entity),
    (b"&#x40;", Flavour::Entity),
    (b"&commat;", Flavour::Entity),
];

pub(super) fn find(search: &mut Search<'_>) {
    let text = search.text;
    for at in memchr_iter(b'@', text) {
        try_sign(search, at);
    }
    for (written, flavour) in WRITTEN {
        for at in memmem::find_iter(text, written) {
            try_written(search, at, written, flavour);
        }
    }
}

/// Tries the addresses around an at-sign.
pub(super) fn try_sign(search: &mut Search<'_>, at: usize) {
    let text = search.text;
    let (from, to) = window(text, at, 1);
    look_around(search, &verbatim(text, from, to), at);
    for flavour in Flavour::within(&text[from..to]) {
        look_around(search, &flavour.decode(text, from, to), at);
    }
}

/// Tries the addresses around an escape that stands for an at-sign.
pub(super) fn try_written(search: &mut Search<'_>, at: usize, written: &[u8], flavour: Flavour) {
    let text = search.text;
    let (from, to) = window(text, at, written.len());
    look_around(search, &flavour.decode(text, from, to), at);
}

/// The text around an at-sign up to white space; a quoted-printable soft break is none.
fn window(text: &[u8], at: usize, length: usize) -> (usize, usize) {
    let stops = |place: usize| {
        text[place].is_ascii_whitespace() && !text[..place].ends_with(b"=") && !text[..place].ends_with(b"=\r")
    };
    let lowest = at.saturating_sub(REACH);
    let highest = (at + length + REACH).min(text.len());
    let from = (lowest..at).rev().find(|&place| stops(place)).map_or(lowest, |place| place + 1);
    let to = (at + length..highest).find(|&place| stops(place)).unwrap_or(highest);
    (from, to)
}

/// Tries the addresses around the at-sign that is written at `at`. The longest that is known counts; the shorter ones
/// are tried all the same, for a mail server's client has a clock.
fn look_around(search: &mut Search<'_>, decoded: &Decoded, at: usize) {
    let Ok(sign) = decoded.starts.binary_search(&at) else { return };
    let bytes = &decoded.bytes;
    if bytes.get(sign) != Some(&b'@') {
        return;
    }
    let local = bytes[..sign].iter().rev().take_while(|byte| is_local(**byte)).count().min(64);
    let domain =
        bytes[sign + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    let starts = starts_of(bytes, sign - local, sign);
    let before = search.spans.len();
    for end in ends_of(bytes, sign + 1, sign + 1 + domain) {
        for &start in &starts {
            let address = bytes[start..end].to_ascii_lowercase();
            search.try_plain(MarkerKind::WorkEmail, &address, decoded.starts[start], decoded.starts[end]);
        }
    }
    search.spans.truncate(before + 1);
}

/// Where the local part may begin: at the run's beginning, or behind a mark within it (`'alice@…`, `-alice@…`), or
/// behind the letter or the digits of an escape that was not decoded (`\nalice@…`, `%3Aalice@…`). Longest first.
fn starts_of(bytes: &[u8], from: usize, sign: usize) -> Vec<usize> {
    let behind_escape = match from.checked_sub(1).map(|before| bytes[before]) {
        Some(b'\\') => vec![from + 1, from + 5],
        Some(b'%' | b'=') => vec![from + 2],
        _ => Vec::new(),
    };
    let marks = (from..sign).filter(|&at| !bytes[at].is_ascii_alphanumeric()).map(|at| at + 1);
    let mut starts: Vec<usize> =
        std::iter::once(from).chain(behind_escape).chain(marks.take(8)).filter(|&start| start < sign).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// Where the domain may end: with the run, or before one of its last labels (`…@example.org.Next`). Longest first.
fn ends_of(bytes: &[u8], from: usize, to: usize) -> Vec<usize> {
    let trimmed = bytes[from..to].iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let to = to - trimmed;
    let mut ends = vec![to];
    ends.extend((from + 1..to).rev().filter(|&at| matches!(bytes[at], b'.' | b'-')).take(6));
    ends.retain(|&end| bytes[from..end].contains(&b'.'));
    ends
}
