//! Telltale: a deception system for HR data. ARCHITECTURE.md is the map.

pub mod attribution;
pub mod cli;
pub mod domain;
pub mod dumps;
pub mod journal;
pub mod ledger;
pub mod sensors;
pub mod sinks;
pub mod stores;
