//! Why a gate does not open. No message holds a name, a password or a key.

use std::{io, path::PathBuf};

/// Why a filter file or its key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// It begins as no filter file does.
    #[error("this is no filter file of a gate: `telltale gate build` makes one")]
    NotAGate,
    /// It was written by another version of this library.
    #[error("the filter file has format {0}, and this gate reads format {known}: build the file anew, or replace the gate", known = crate::file::VERSION)]
    OtherVersion(u16),
    /// Its end is missing.
    #[error("the filter file is cut off: {there} of {whole} bytes are there; copy it again")]
    Truncated {
        /// Bytes that are there.
        there: u64,
        /// Bytes that it was made with.
        whole: u64,
    },
    /// It was made under another key.
    #[error("the key is not the one of this filter file: each endpoint has its own")]
    WrongKey,
    /// Its bytes are not those that were written.
    #[error("the filter file is damaged: copy or build it again")]
    Damaged,
    /// The text of a key could not be read.
    #[error(
        "this is no key of a gate: 64 hexadecimal digits are expected, as `telltale gate build --key-out` writes them"
    )]
    NotAKey,
    /// A file holds something else than a key.
    #[error("{} holds no key of a gate: 64 hexadecimal digits are expected, as `telltale gate build --key-out` writes them", .0.display())]
    NotAKeyFile(PathBuf),
    /// An endpoint is called otherwise.
    #[error("an endpoint's name has 1 to 64 letters, digits, dots, dashes and underscores")]
    NotAnEndpoint,
    /// The names could not be brought into a filter.
    #[error("{0} names are too many for one filter file, or could not be brought into it")]
    NotBuilt(usize),
    /// A file could not be read.
    #[error("cannot read {}: {error}", .path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}
