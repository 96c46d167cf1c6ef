//! Plain types of the story: no I/O, no clock, no randomness.

pub mod alert;
pub mod incident;
pub mod mail;
pub mod placement;
pub mod reason;
pub mod record;
pub mod secret;
pub mod section;
pub mod sighting;
pub mod verdict;
