//! What a mail is read by, however it came: its recipients, its text, what it is, and the touches that tell of it. It receives
//! none itself, and fetches nothing that stands in one.

pub mod brands;
pub mod contents;
pub mod envelope;
pub mod headers;
pub mod links;
pub mod origin;
pub mod path;
pub mod private;
pub mod signs;
pub mod text;

/// So many first bytes of a mail are read. Encodings make text longer: this is more than the limit of the text that is
/// taken from it.
pub const READ: usize = 2 * 1024 * 1024;
/// So many recipients of one mail are looked up.
pub const RECIPIENTS: usize = 100;
