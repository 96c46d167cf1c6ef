//! The command line's face.

pub mod verdict;
