//! Formats of log lines. One file and one row each.

pub mod canaille;
pub mod combined;
pub mod dovecot;
pub mod format;
pub mod full_audit;
pub mod pam;
pub mod postgres;
pub mod postgres_csv;
pub mod postgres_json;
pub mod s3_access;
pub mod samba;
pub mod slapd;
pub mod sshd;
pub mod syslog;
pub mod threads;
#[cfg(test)]
mod trial;

use format::{Format, ReadFormat};

/// Every format of logins.
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

/// Every format of what is read in stores.
pub const READS: &[ReadFormat] =
    &[postgres::FORMAT, postgres_csv::FORMAT, postgres_json::FORMAT, full_audit::FORMAT, s3_access::FORMAT];
