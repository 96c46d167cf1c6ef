//! Tests of `sinks` through its public face.

mod alerts;
mod broken_receivers;
mod cloudevents;
mod command;
mod config;
mod crowd;
mod deliveries;
mod discord;
mod elasticsearch;
mod email;
mod google_chat;
mod house;
mod mattermost;
mod ocsf;
mod pagerduty;
mod receiver;
mod routes;
mod slack;
mod splunk;
mod syslog;
mod takeover;
mod taxii;
mod teams;
mod template;
mod thehive;
mod webhook;
