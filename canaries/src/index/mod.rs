//! The keyed index: canonical forms, digests, and the reference scanner that finds markers in text.
//! It holds keyed fingerprints only, never a value, and reads bytes that it is handed; it opens nothing.

mod addresses;
pub(crate) mod canonical;
mod clue;
mod digests;
mod escapes;
mod fast;
mod fields;
mod fingerprint;
mod gates;
mod identifiers;
mod image;
mod lookup;
mod nearby;
mod recognise;
mod runs;
mod scan;
mod sieve;
mod simd;
mod table;
mod tokens;

#[cfg(test)]
mod forms;
#[cfg(test)]
mod noise;

pub use canonical::canonical;
pub use escapes::{Escaped, Flavour};
pub use fast::{Reach, scan_fast, scan_fast_by};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use image::{Counts, Image, ImageBuilder, ImageError, ImageKey, salt};
pub use nearby::judge_weak;
pub use recognise::Match;
pub use runs::{Run, base64_runs};
pub use scan::scan;
pub use simd::Isa;
pub use table::Index;

use crate::{canary::CanaryId, marker::MarkerKind};
use serde::{Deserialize, Serialize};

/// Whose marker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A canary that is planned, planted, or was once.
    Canary(CanaryId),
    /// A member of the control group, by its number: minted like the others and never planted.
    Ghost(u32),
}

/// How the marker stood in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As its canonical form, letter case and separators aside.
    Plain,
    /// As a digest of its canonical form.
    Digest,
}

/// The digest under which a marker stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha512,
    Ntlm,
}

/// One marker found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub owner: Owner,
    pub kind: MarkerKind,
    pub form: Form,
    pub digest: Option<Digest>,
    /// Byte offset of the first byte of the marker in the scanned text.
    pub offset: u64,
    /// Line of the scanned text, from 1.
    pub line: u64,
    /// Whether it counts by itself: not a weak kind, or one with another kind of marker of the same owner nearby.
    pub strong: bool,
}
