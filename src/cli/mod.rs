//! The command line's face.

pub mod verdict;
pub mod wording;
