//! How a command ends: the exit codes of the contract.

use std::process::ExitCode;

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0
    Done,
    /// 1: the answer is "nothing found".
    NothingFound,
    /// 3: inconclusive, or `verify` found a difference.
    Inconclusive,
}

/// 2: an error; one clear line was printed.
pub const FAILED: u8 = 2;

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::NothingFound => 1,
            Outcome::Inconclusive => 3,
        })
    }
}
