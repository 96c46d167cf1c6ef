//! The rehearsal: a store leaks on purpose, the stolen data is used through real listeners on loopback, and the verdict
//! is read. Its sightings, incidents and alerts are marked, and never count in another verdict.

pub mod demonstration;
pub mod feeds;
pub mod leak;
pub mod receivers;
pub mod rehearse;
pub mod staff;
pub mod thief;
