//! How the store kept the passwords that leaked: the canaries' are known as they were planted, sealed, and every stored
//! form beside one of their markers is verified against them by computing.
//!
//! A canary's password is opened for this, in memory, and dropped. That is no reveal and no journal entry: no value
//! leaves, neither to the caller nor into the verdict, and whoever traces learns only which scheme was used.

use crate::{
    domain::verdict::{PasswordRows, PasswordStorage},
    flow::sheet::CanaryRow,
};
use canaries::{
    CanaryId,
    storage::{Budget, Kept, kept},
};
use std::collections::{BTreeMap, BTreeSet};

/// So many rows are computed on in one trace, however large it is.
const MOST_ROWS: u64 = 5_000;
/// What all computing of one trace may cost, in microseconds of one core.
const ALL_MICROS: u64 = 15_000_000;
/// So many values of one row are tried.
const CELLS: usize = 256;

/// What was verified so far.
pub struct Passwords {
    verified: BTreeMap<Kept, BTreeSet<CanaryId>>,
    budget: Budget,
    rows: PasswordRows,
    /// Whole rows that were verified by an expensive scheme need no second one of their canary.
    done: BTreeSet<CanaryId>,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords {
            verified: BTreeMap::new(),
            budget: Budget::new(ALL_MICROS),
            rows: PasswordRows::default(),
            done: BTreeSet::new(),
        }
    }
}

impl Passwords {
    /// Looks for the stored form of this password in the canary's row.
    pub fn look(&mut self, row: &CanaryRow, password: &str) {
        self.rows.rows += 1;
        if self.done.contains(&row.canary) {
            self.rows.computed += 1;
            return;
        }
        if self.rows.computed >= MOST_ROWS {
            return;
        }
        self.rows.computed += 1;
        let values: Vec<&str> = row.cells.iter().take(CELLS).map(|cell| cell.value.as_str()).collect();
        for (place, value) in values.iter().enumerate() {
            let others: Vec<&str> = neighbours(&values, place);
            if let Some(kept) = kept(password, value, &others, &mut self.budget) {
                self.verified.entry(kept).or_default().insert(row.canary);
                self.done.insert(row.canary);
            }
        }
    }

    /// What can be said: none where no row had a canary with a password.
    pub fn conclude(self) -> (Option<Vec<PasswordStorage>>, Option<PasswordRows>) {
        if self.rows.rows == 0 {
            return (None, None);
        }
        let mut storage: Vec<PasswordStorage> = self
            .verified
            .into_iter()
            .map(|(kept, canaries)| PasswordStorage {
                scheme: kept.scheme.to_owned(),
                salt: kept.salt.as_str().to_owned(),
                verified: canaries.len() as u64,
            })
            .collect();
        storage.sort_by(|one, other| other.verified.cmp(&one.verified).then(one.scheme.cmp(&other.scheme)));
        (Some(storage), Some(PasswordRows { refused: self.budget.refused(), ..self.rows }))
    }
}

/// The other values of a row, the nearest first: a salt stands beside its digest.
fn neighbours<'a>(values: &[&'a str], place: usize) -> Vec<&'a str> {
    let mut others: Vec<usize> = (0..values.len()).filter(|other| *other != place).collect();
    others.sort_by_key(|other| other.abs_diff(place));
    others.into_iter().map(|other| values[other]).filter(|value| !value.is_empty()).take(64).collect()
}
