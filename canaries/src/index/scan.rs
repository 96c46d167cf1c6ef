//! The reference scanner: plain and slow enough to be believed. A fast one is tested against it.

use super::{
    Digest, Form, Found, Owner, addresses, digests, fields,
    fingerprint::{Fingerprint, in_space_of, space_of},
    identifiers,
    lookup::Lookup,
    nearby::judge_weak,
    table::Index,
    tokens,
};
use crate::marker::MarkerKind;

/// Shows every marker in `text` to `visit`, by offset. A pure function of the bytes, which need be no UTF-8.
///
/// Of findings of one owner that overlap, the longest is shown: a user name within an address is no second marker.
/// `strong` is judged within this text; who reads a file in pieces judges once more over the whole: `judge_weak`.
pub fn scan(text: &[u8], index: &Index, visit: &mut dyn FnMut(Found)) {
    if index.is_empty() {
        return;
    }
    let mut spans = Vec::new();
    let mut search = Search { text, index, spans: &mut spans };
    addresses::find(&mut search);
    identifiers::find(&mut search);
    digests::find(&mut search);
    tokens::find(&mut search);
    fields::find(&mut search);
    conclude(text, spans).into_iter().for_each(visit);
}

/// What is shown of the spans that were found.
pub(super) fn conclude(text: &[u8], spans: Vec<Span>) -> Vec<Found> {
    judge_weak(number_lines(text, longest(spans)))
}

/// A marker and the range of the text where it stands.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub owner: Owner,
    pub kind: MarkerKind,
    pub digest: Option<Digest>,
}

/// What every extractor works on.
pub(super) struct Search<'a> {
    pub text: &'a [u8],
    pub index: &'a dyn Lookup,
    pub spans: &'a mut Vec<Span>,
}

impl Search<'_> {
    /// Asks the index for a canonical form, and notes where it stands if it is known.
    pub fn try_plain(&mut self, kind: MarkerKind, canonical: &[u8], start: usize, end: usize) {
        self.try_in(&mut None, kind, canonical, start, end);
    }

    /// The same for a text that is asked for in several kinds: its MAC is made once, and only if it is needed.
    pub fn try_in(
        &mut self,
        mac: &mut Option<Fingerprint>,
        kind: MarkerKind,
        canonical: &[u8],
        start: usize,
        end: usize,
    ) {
        if !self.index.may_hold(space_of(kind), canonical) {
            return;
        }
        let mac = *mac.get_or_insert_with(|| self.index.key().mac(canonical));
        self.try_fingerprint(in_space_of(mac, kind), start, end);
    }

    /// Asks the index for a fingerprint, and notes where it stands if it is known.
    pub fn try_fingerprint(&mut self, fingerprint: Fingerprint, start: usize, end: usize) {
        if let Some(entry) = self.index.get(fingerprint) {
            self.spans.push(Span { start, end, owner: entry.owner, kind: entry.kind, digest: entry.digest });
        }
    }

    /// Whether a number or word may begin here: after no letter or digit, or after an escape that ends in one.
    pub fn begins_at(&self, at: usize) -> bool {
        let before = &self.text[..at];
        let ends_in = |mark: &[u8], digits: usize| {
            before.len().checked_sub(mark.len() + digits).is_some_and(|from| {
                let (escape, value) = before[from..].split_at(mark.len());
                escape == mark && value.iter().all(u8::is_ascii_hexdigit)
            })
        };
        match before {
            [] | [.., b'\\', b'n' | b't' | b'r'] => true,
            [.., last] if !last.is_ascii_alphanumeric() => true,
            _ => ends_in(b"%", 2) || ends_in(b"=", 2) || ends_in(b"\\u", 4),
        }
    }
}

/// Whether a number or word may end here.
pub(super) fn ends_at(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Drops each span that overlaps a longer one of the same owner.
fn longest(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.owner, span.start, std::cmp::Reverse(span.end), span.kind, span.digest));
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match kept.last_mut() {
            Some(last) if last.owner == span.owner && span.start < last.end => {
                if span.end - span.start > last.end - last.start {
                    *last = span;
                }
            }
            _ => kept.push(span),
        }
    }
    kept.sort_by_key(|span| (span.start, span.end, span.kind, span.owner));
    kept
}

/// Gives each span, in order, its line.
fn number_lines(text: &[u8], spans: Vec<Span>) -> Vec<Found> {
    let (mut line, mut counted) = (1, 0);
    spans
        .into_iter()
        .map(|span| {
            line += memchr::memchr_iter(b'\n', &text[counted..span.start]).count() as u64;
            counted = span.start;
            Found {
                owner: span.owner,
                kind: span.kind,
                form: if span.digest.is_some() { Form::Digest } else { Form::Plain },
                digest: span.digest,
                offset: span.start as u64,
                line,
                strong: true,
            }
        })
        .collect()
}
