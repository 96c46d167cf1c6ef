//! Where alerts go. One file and one row a kind.

pub mod email;
pub mod shape;
pub mod sink;
pub mod slack;
pub mod syslog;
pub mod template;
pub mod webhook;

use sink::Entry;

/// Every kind of sink.
pub const ALL: &[Entry] = &[slack::ENTRY, webhook::ENTRY, syslog::ENTRY, email::ENTRY, template::ENTRY];
