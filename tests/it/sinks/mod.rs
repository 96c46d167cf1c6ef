//! Tests of `sinks` through its public face.

mod alerts;
mod broken_receivers;
mod config;
mod deliveries;
mod email;
mod house;
mod receiver;
mod routes;
mod slack;
mod syslog;
mod takeover;
mod template;
mod webhook;
