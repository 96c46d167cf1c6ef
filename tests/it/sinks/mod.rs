//! Tests of `sinks` through its public face.

mod alerts;
mod broken_receivers;
mod config;
mod email;
mod house;
mod receiver;
mod slack;
mod syslog;
mod takeover;
mod webhook;
