//! Where alerts go. One file and one row a kind.

pub mod cloudevents;
pub mod command;
pub mod discord;
pub mod elasticsearch;
pub mod email;
pub mod google_chat;
pub mod mattermost;
pub mod ocsf;
pub mod pagerduty;
pub mod shape;
pub mod sink;
pub mod slack;
pub mod splunk;
pub mod syslog;
pub mod taxii;
pub mod teams;
pub mod template;
pub mod thehive;
pub mod webhook;

use sink::Entry;

/// Every kind of sink.
pub const ALL: &[Entry] = &[
    slack::ENTRY,
    teams::ENTRY,
    discord::ENTRY,
    mattermost::ENTRY,
    google_chat::ENTRY,
    webhook::ENTRY,
    template::ENTRY,
    cloudevents::ENTRY,
    ocsf::ENTRY,
    command::ENTRY,
    thehive::ENTRY,
    taxii::ENTRY,
    pagerduty::ENTRY,
    splunk::ENTRY,
    elasticsearch::ENTRY,
    syslog::ENTRY,
    email::ENTRY,
];
