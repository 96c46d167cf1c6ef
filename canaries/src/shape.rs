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

/// Looks at the values of a column one by one, and forgets them.
#[derive(Clone, Debug, Default)]
pub struct Learner {
    shape: Shape,
}

impl Learner {
    /// Looks at one value; none is a null.
    pub fn see(&mut self, value: Option<&str>) {
        self.shape.count += 1;
        self.shape.empty += u64::from(value.is_none_or(str::is_empty));
    }

    /// What the values looked like.
    pub fn finish(self) -> Shape {
        self.shape
    }
}
