//! What a format is to the walk.

use crate::dumps::{stream::Stream, walk::Walk};
use std::io;

/// One format that a leaked file, or a member of it, may have.
pub(crate) struct Format {
    /// In the words of a reader of the verdict.
    pub name: &'static str,
    /// Whether what begins so has it.
    pub begins: fn(&[u8]) -> bool,
    /// Follows it; none where only its packed bytes are searched.
    pub open: Option<Open>,
}

/// Reads a stream of a format. Only a plain text's error is answered; all else is noted on the walk.
pub(crate) type Open = fn(&mut Walk<'_>, Stream<'_>) -> io::Result<()>;
