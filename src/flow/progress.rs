//! How far long work has come, for whoever watches.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

/// One report of progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is being done: "planting payroll".
    pub what: String,
    pub done: u64,
    /// Where it ends, if that is known.
    pub total: Option<u64>,
}

/// Takes reports; nobody needs to listen.
#[derive(Clone, Default)]
pub struct Progress(Option<UnboundedSender<Step>>);

impl Progress {
    /// Reports go to this channel.
    pub fn to(sender: UnboundedSender<Step>) -> Self {
        Progress(Some(sender))
    }

    /// Reports one step. A listener that went away is no error.
    pub fn at(&self, what: impl Into<String>, done: u64, total: Option<u64>) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(Step { what: what.into(), done, total });
        }
    }
}
