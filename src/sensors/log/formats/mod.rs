//! Formats of log lines. One file and one row each.

pub mod canaille;
pub mod combined;
pub mod dovecot;
pub mod format;
pub mod pam;
pub mod samba;
pub mod slapd;
pub mod sshd;
pub mod syslog;
pub mod threads;
#[cfg(test)]
mod trial;

use format::Format;

/// Every format.
pub const ALL: &[Format] = &[
    sshd::FORMAT,
    slapd::FORMAT,
    dovecot::FORMAT,
    combined::NGINX,
    combined::APACHE,
    pam::FORMAT,
    samba::FORMAT,
    canaille::FORMAT,
];
