//! The story, one step a file: plan, plant, verify, rotate, withdraw; observe, judge, notify; trace.

pub mod blind;
pub mod check;
pub mod context;
pub mod drill;
pub mod each;
pub mod erase;
pub mod error;
pub mod judge;
pub mod mapping;
pub mod memory;
pub mod mint;
pub mod notify;
pub mod observe;
pub mod plan;
pub mod plant;
pub mod problem;
pub mod progress;
pub mod recover;
pub mod rotate;
pub mod route;
pub mod takeover;
pub mod trace;
pub mod verify;
pub mod voices;
pub mod withdraw;
