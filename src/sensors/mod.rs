//! What watches for a touch and reports it. One file and one row a kind.

pub mod sensor;

use sensor::Entry;

/// Every kind of sensor.
pub const ALL: &[Entry] = &[];
