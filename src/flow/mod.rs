//! The story, one step a file: plan, plant, verify, rotate, withdraw; observe, judge, notify; trace, sweep.

pub mod blind;
pub mod check;
pub mod context;
pub mod drill;
pub mod each;
pub mod error;
pub mod findings;
pub mod index;
pub mod judge;
pub mod mapped;
pub mod mapping;
pub mod memory;
pub mod mint;
pub mod notify;
pub mod observe;
pub mod parts;
pub mod plan;
pub mod plant;
pub mod problem;
pub mod progress;
pub mod recover;
pub mod rotate;
pub mod sweep;
pub mod trace;
pub mod verify;
pub mod withdraw;
