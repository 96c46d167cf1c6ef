//! Telltale: a deception system for HR data. ARCHITECTURE.md is the map.

pub mod api;
pub mod app;
pub mod attribution;
pub mod case;
pub mod cli;
pub mod config;
pub mod domain;
pub mod dumps;
pub mod flow;
pub mod journal;
pub mod ledger;
pub mod sensors;
pub mod sinks;
pub mod stores;
