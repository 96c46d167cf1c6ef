//! Formats of log lines. One file and one row each.

pub mod format;
pub mod sshd;
pub mod syslog;

use format::Format;

/// Every format.
pub const ALL: &[Format] = &[sshd::FORMAT];
