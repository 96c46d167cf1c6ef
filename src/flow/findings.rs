//! Markers found in material, as `scan` prints them: gathered over the pieces of a file, until it is known which weak ones
//! stand near another of their canary.

use crate::{dumps::Piece, flow::observe::name};
use canaries::{
    CanaryId, MarkerKind,
    index::{self, Digest, Form, Found},
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
        }
    }
}

/// What was found in one file, member by member.
pub struct Gathered<'a> {
    path: &'a str,
    member: Option<String>,
    found: Vec<Found>,
    visit: &'a mut dyn FnMut(&Finding),
}

impl<'a> Gathered<'a> {
    /// Gathers for the file of this name.
    pub fn new(path: &'a str, visit: &'a mut dyn FnMut(&Finding)) -> Self {
        Gathered { path, member: None, found: Vec::new(), visit }
    }

    /// Scans a piece, and takes what begins in its own part: pieces overlap.
    pub fn see(&mut self, piece: &Piece<'_>, scan: impl FnOnce(&[u8], &mut dyn FnMut(Found))) {
        if self.member.as_deref() != piece.member {
            self.end();
            self.member = piece.member.map(str::to_owned);
        }
        scan(piece.text, &mut |mut found| {
            if piece.report.contains(&(found.offset as usize)) {
                if piece.decoded {
                    // It has no place of its own in the text: the coded form's is told.
                    (found.offset, found.line) = (piece.base_offset, piece.first_line);
                } else {
                    found.offset += piece.base_offset;
                    found.line += piece.first_line - 1;
                }
                self.found.push(found);
            }
        });
    }

    /// Shows what was found in the last member.
    pub fn end(&mut self) {
        for found in index::judge_weak(std::mem::take(&mut self.found)) {
            (self.visit)(&Finding::new(&found, self.path, self.member.as_deref()));
        }
    }
}
