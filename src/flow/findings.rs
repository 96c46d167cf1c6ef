//! A marker found in material, as `scan` prints it.

use crate::flow::observe::name;
use canaries::{
    CanaryId, MarkerKind,
    index::{Digest, Form, Found},
};
use serde::{Deserialize, Serialize};

/// One marker found in material: what `scan` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub marker_kind: MarkerKind,
    pub canary: CanaryId,
    pub form: Form,
    pub path: String,
    pub member: Option<String>,
    /// Bytes from the start of the file, or of the member's decoded text.
    pub offset: u64,
    pub line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// A weak marker that stands without a second one of its canary counts for nothing.
    pub strong: bool,
    /// The column of the table in which it stands.
    pub column: Option<String>,
}

impl Finding {
    /// The finding of this marker, with its offset and line in this file or member.
    pub fn new(found: &Found, path: &str, member: Option<&str>) -> Finding {
        Finding {
            marker_kind: found.kind,
            canary: name(found.owner),
            form: found.form,
            path: path.to_owned(),
            member: member.map(str::to_owned),
            offset: found.offset,
            line: found.line,
            digest: found.digest,
            strong: found.strong,
            column: None,
        }
    }
}
