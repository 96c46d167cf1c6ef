//! A link within a document: whoever follows it has the document. Its value is the beacon sensor's to give.

use crate::kinds::kind::Kind;

/// A link within a document: whoever follows it has the document. Its value is the beacon sensor's to give.
pub const KIND: Kind =
    Kind { name: "document_link", about: "A link that only a reader of the document knows.", fields: &[], needs: &[] };
