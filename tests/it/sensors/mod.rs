//! Tests of `sensors` through its public face.

mod basic;
mod beacon;
mod door;
mod ftp;
mod imap;
mod ldap;
mod listener;
mod log;
mod log_formats;
mod mail_clients;
mod mailbox;
mod mailbox_hostile;
mod observer;
mod paste;
mod portal;
mod smtp;
mod smtp_noise;
