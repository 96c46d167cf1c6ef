//! One presented value: is it a marker?

use super::{Digest, Owner, canonical::canonical, fingerprint::Fingerprint, table::Index};
use crate::marker::MarkerKind;

/// A marker that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub owner: Owner,
    pub kind: MarkerKind,
    pub digest: Option<Digest>,
}

impl Index {
    /// The canaries and ghosts of which `value` is a marker: of the hinted kind, else of any.
    pub fn recognise(&self, hint: Option<MarkerKind>, value: &str) -> Vec<Match> {
        let mut found: Vec<Match> = Vec::new();
        let mut ask = |fingerprint: Fingerprint| {
            if let Some(entry) = self.get(fingerprint) {
                let known = Match { owner: entry.owner, kind: entry.kind, digest: entry.digest };
                if !found.contains(&known) {
                    found.push(known);
                }
            }
        };
        let kinds: &[MarkerKind] = match &hint {
            // A login name is often an address.
            Some(MarkerKind::Username) => &[MarkerKind::Username, MarkerKind::WorkEmail],
            Some(kind) => std::slice::from_ref(kind),
            None => MarkerKind::ALL,
        };
        for kind in kinds {
            if let Some(canonical) = canonical(*kind, value) {
                ask(self.key().plain(*kind, &canonical));
            }
        }
        if hint.is_none()
            && let Ok(bytes) = data_encoding::HEXLOWER_PERMISSIVE.decode(value.trim().as_bytes())
        {
            for digest in Digest::ALL.iter().filter(|digest| digest.length() == bytes.len()) {
                ask(self.key().digest(*digest, &bytes));
            }
        }
        found
    }
}
