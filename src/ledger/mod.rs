//! The queryable state: a view of the journal, rebuilt from it whenever the two disagree. Nothing is kept here that the
//! journal does not hold, and no marker, locator or personal value: those are fetched from it by number.

pub mod accounts;
pub mod coded;
pub mod engine;
pub mod gates;
pub mod growth;
pub mod health;
pub mod held;
pub mod incidents;
pub mod known;
pub mod outbox;
pub mod placements;
pub mod projection;
pub mod receipts;
pub mod revisions;
pub mod row;
pub mod sightings;
pub mod sled;
pub mod stamps;
pub mod state;
pub mod traces;
pub mod view;
