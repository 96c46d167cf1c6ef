//! Work on several stores, each on its own: one that fails keeps no other from being done, and takes nothing from what
//! was done before it. It never hides a failure: where no store was done, the whole work failed.

use crate::flow::{context::StoreSlot, error::FlowError};
use serde::{Deserialize, Serialize};

/// A store that the work failed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub store: String,
    /// What, where and how to mend it; names the store.
    pub error: String,
}

/// What became of each store.
#[derive(Debug, Serialize, Deserialize)]
pub struct Each<T> {
    /// Those that were done.
    pub stores: Vec<T>,
    /// Those that were not; absent where there are none.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
    /// Of the first failure: its kind is that of the whole, where nothing was done.
    #[serde(skip)]
    first: Option<FlowError>,
}

impl<T> Default for Each<T> {
    /// Nothing was done yet.
    fn default() -> Self {
        Each { stores: Vec::new(), failed: Vec::new(), first: None }
    }
}

impl<T> Each<T> {
    /// Notes what became of one store.
    pub fn note(&mut self, slot: &StoreSlot, outcome: Result<T, FlowError>) {
        match outcome {
            Ok(done) => self.stores.push(done),
            Err(error) => {
                let (name, text) = (&slot.name, error.to_string());
                let named = text.starts_with(&format!("store {name}:")) || text.starts_with(&format!("store {name} "));
                let said = if named { text } else { format!("store {name}: {text}") };
                self.failed.push(Failed { store: name.clone(), error: said });
                self.first.get_or_insert(error);
            }
        }
    }

    /// The outcomes; an error where no store was done.
    ///
    /// # Errors
    /// The only failure as it is, or all of them in one sentence.
    pub fn answer(mut self) -> Result<Each<T>, FlowError> {
        if !self.stores.is_empty() {
            return Ok(self);
        }
        let Some(first) = self.first.take() else { return Ok(self) };
        if self.failed.len() == 1 {
            return Err(first);
        }
        Err(match first {
            FlowError::Unavailable(_) | FlowError::NotDurable(_) => FlowError::Unavailable(self.failures()),
            FlowError::Internal(_) => FlowError::Internal(anyhow::Error::msg(self.failures())),
            FlowError::Unknown(_) | FlowError::Refused(_) => FlowError::Refused(self.failures()),
        })
    }

    /// What failed, in one sentence; empty where all was done.
    pub fn failures(&self) -> String {
        let said: Vec<&str> = self.failed.iter().map(|failed| failed.error.as_str()).collect();
        said.join("; ")
    }

    /// The stores, where every one was done.
    ///
    /// # Errors
    /// Says which were not, and why.
    pub fn whole(self) -> Result<Vec<T>, FlowError> {
        if self.failed.is_empty() { Ok(self.stores) } else { Err(FlowError::Refused(self.failures())) }
    }
}
