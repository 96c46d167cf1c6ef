//! What the values of a column look like: patterns and counts, never a value of any person.

use serde::{Deserialize, Serialize};

/// The shape of a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Values seen.
    pub count: u64,
    /// Nulls and empty texts seen.
    pub empty: u64,
}
