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
mod mailgun;
mod observer;
mod ovhcloud;
mod paste;
mod portal;
mod postmark;
mod posts;
mod sendgrid;
mod ses;
mod smtp;
mod smtp_noise;
mod twilio;
mod vonage;
