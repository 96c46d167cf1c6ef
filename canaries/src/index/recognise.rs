//! Recognises one presented value: a login name, a mail address, a password, a link's path.

use super::{
    Digest, Index, Owner, addresses,
    canonical::{canonical, link_segments},
    digests,
    scan::Search,
};
use crate::marker::MarkerKind;

/// The longest value that is looked at, in bytes.
const LONGEST: usize = 2_048;

/// A value that proved to be a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Whose it is.
    pub owner: Owner,
    /// What it is.
    pub kind: MarkerKind,
    /// The digest as which it was presented; none if plain.
    pub digest: Option<Digest>,
}

impl Index {
    /// Says whose marker this value is: as what the hint says; else as every kind that it may be, a domain or realm
    /// around a user name and a path around a link left out; else as a digest.
    ///
    /// All of it is tried whatever was found already: who may time the answer must not learn that it was found.
    pub fn recognise(&self, hint: Option<MarkerKind>, value: &str) -> Vec<Match> {
        if value.len() > LONGEST {
            return Vec::new();
        }
        let hinted: Vec<Match> = hint.and_then(|kind| self.try_spellings(kind, value)).into_iter().collect();
        let others = MarkerKind::ALL.iter().filter(|kind| hint != Some(**kind));
        let otherwise: Vec<Match> = others.filter_map(|kind| self.try_spellings(*kind, value)).collect();
        let mut spans = Vec::new();
        let mut search = Search { text: value.as_bytes(), index: self, spans: &mut spans };
        digests::find(&mut search);
        addresses::find(&mut search);
        let within =
            spans.iter().map(|span| Match { owner: span.owner, kind: span.kind, digest: span.digest }).collect();
        let mut matches = [hinted, otherwise, within].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        let mut seen = Vec::new();
        matches.retain(|found: &Match| {
            !seen.contains(found) && {
                seen.push(*found);
                true
            }
        });
        matches
    }

    /// Whose password this is: an endpoint's keyed digest of it was presented.
    pub fn recognise_hmac(&self, hmac: &[u8; 32]) -> Option<Match> {
        let entry = self.get(self.key().hmac(hmac))?;
        Some(Match { owner: entry.owner, kind: entry.kind, digest: entry.digest })
    }

    /// The first spelling that is a marker of this kind; the others are tried all the same.
    fn try_spellings(&self, kind: MarkerKind, value: &str) -> Option<Match> {
        let mut spellings = vec![value];
        match kind {
            MarkerKind::Username => {
                spellings.extend(value.rsplit_once(['\\', '/']).map(|(_, name)| name));
                spellings.extend(value.split_once('@').map(|(name, _)| name));
            }
            MarkerKind::DocumentLink => spellings.extend(link_segments(value)),
            _ => {}
        }
        let mut first = None;
        for spelling in spellings {
            let found = canonical(kind, spelling).and_then(|text| self.get(self.key().plain(kind, &text)));
            first = first.or(found.map(|entry| Match { owner: entry.owner, kind: entry.kind, digest: entry.digest }));
        }
        first
    }
}
