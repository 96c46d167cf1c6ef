//! What watches for a touch and reports it. One file and one row a kind.

pub mod basic;
pub mod beacon;
pub mod cloud;
pub mod collected;
pub mod credentials;
pub mod dns;
pub mod door;
pub mod entra;
pub mod ftp;
pub mod gate;
pub mod google_workspace;
pub mod imap;
pub mod inbound;
pub mod ldap;
pub mod listener;
pub mod log;
pub mod logins;
pub mod mail;
pub mod mailbox;
pub mod mailgun;
pub mod okta;
pub mod openers;
pub mod outside;
pub mod ovhcloud;
pub mod pages;
pub mod paste;
pub mod portal;
pub mod postmark;
pub mod reports;
pub mod request;
pub mod sendgrid;
pub mod sensor;
pub mod ses;
pub mod smtp;
pub mod ssh;
pub mod twilio;
pub mod vonage;
pub mod watched_bucket;
pub mod watched_folder;

use sensor::Entry;

/// Every kind of sensor.
pub const ALL: &[Entry] = &[
    portal::ENTRY,
    beacon::ENTRY,
    dns::ENTRY,
    smtp::ENTRY,
    paste::ENTRY,
    watched_folder::ENTRY,
    watched_bucket::ENTRY,
    log::ENTRY,
    imap::ENTRY,
    ftp::ENTRY,
    ldap::ENTRY,
    basic::ENTRY,
    ssh::ENTRY,
    mailbox::ENTRY,
    mailgun::ENTRY,
    sendgrid::ENTRY,
    postmark::ENTRY,
    ses::ENTRY,
    twilio::ENTRY,
    vonage::ENTRY,
    ovhcloud::ENTRY,
    okta::ENTRY,
    entra::ENTRY,
    google_workspace::ENTRY,
];
