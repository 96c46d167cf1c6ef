//! Where alerts go. One file and one row a kind.

pub mod cloudevents;
pub mod command;
pub mod discord;
pub mod elasticsearch;
pub mod email;
pub mod google_chat;
pub mod jsm;
pub mod mattermost;
pub mod misp;
pub mod nats;
pub mod ocsf;
pub mod ocsf_file;
pub mod ocsf_s3;
pub mod pagerduty;
pub mod secops;
pub mod sentinel;
pub mod shape;
pub mod sink;
pub mod slack;
pub mod slack_bot;
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
    slack_bot::ENTRY,
    teams::ENTRY,
    discord::ENTRY,
    mattermost::ENTRY,
    google_chat::ENTRY,
    webhook::ENTRY,
    template::ENTRY,
    cloudevents::ENTRY,
    ocsf::ENTRY,
    ocsf_file::ENTRY,
    ocsf_s3::ENTRY,
    nats::ENTRY,
    command::ENTRY,
    thehive::ENTRY,
    misp::ENTRY,
    taxii::ENTRY,
    pagerduty::ENTRY,
    jsm::ENTRY,
    splunk::ENTRY,
    elasticsearch::ENTRY,
    sentinel::ENTRY,
    secops::ENTRY,
    syslog::ENTRY,
    email::ENTRY,
];
