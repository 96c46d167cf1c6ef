//! Why a step of the story did not go through. The faces turn it into a status code or an exit code.

use crate::{journal::log::NotDurable, ledger::state::LedgerError, stores::store::StoreError};

/// One sentence for people, and the kind of failure for the faces.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// No such store, incident, sink …; says which are known.
    #[error("{0}")]
    Unknown(String),
    /// Cannot succeed as things are.
    #[error("{0}")]
    Refused(String),
    /// May succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// The journal does not take entries: a full disk, a failed sync.
    #[error("nothing was changed: {0}")]
    NotDurable(NotDurable),
    /// Something that should not happen.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl From<NotDurable> for FlowError {
    fn from(error: NotDurable) -> Self {
        FlowError::NotDurable(error)
    }
}

impl From<LedgerError> for FlowError {
    fn from(error: LedgerError) -> Self {
        FlowError::Unavailable(format!("{error}; the ledger is read anew from the journal: try again in a while"))
    }
}

impl FlowError {
    /// A store's refusal, with the store's name.
    pub fn of_store(store: &str, error: &StoreError) -> Self {
        let text = format!("store {store}: {error}");
        match error {
            StoreError::Retry(_) => FlowError::Unavailable(text),
            StoreError::Refused(_) | StoreError::Taken(_) => FlowError::Refused(text),
        }
    }
}
