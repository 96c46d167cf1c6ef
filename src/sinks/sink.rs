//! What every sink does: one attempt to deliver one alert. When to try again is decided by `flow::notify`.

use crate::{
    domain::{
        alert::Alert,
        section::{Section, SectionError},
    },
    sinks::shape::options::Options,
};
use async_trait::async_trait;
use std::time::Duration;

/// One row of `sinks::ALL`.
pub struct Entry {
    /// The `kind` of the configuration.
    pub kind: &'static str,
    /// One sentence for help and errors.
    pub about: &'static str,
    /// Builds the sink from its section, reaching nothing.
    pub build: fn(&Section) -> Result<Box<dyn Sink>, SectionError>,
    /// Whether its message shows what a digest gathered; a sink of one record an incident must not be given any.
    pub gathers: bool,
}

/// The receiver has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The receiver's status code, where its protocol has one.
    pub status: Option<u16>,
    /// The start of its answer, redacted, at most 16 kB.
    pub response: String,
}

/// The receiver does not have it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SinkError {
    /// May work later; `after` is the receiver's own wish.
    #[error("{why}")]
    Retry { why: String, status: Option<u16>, after: Option<Duration> },
    /// Will not work until somebody changes something.
    #[error("{why}")]
    GiveUp { why: String, status: Option<u16> },
}

/// A destination of alerts.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Makes one attempt, within 15 s. Repeated attempts carry the same `alert.id`.
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError>;

    /// Whether the receiver can be reached, sending nothing: for `check`. The error says what, where and how to mend it.
    async fn probe(&self) -> anyhow::Result<()>;

    /// Whether incidents are opened, acknowledged and closed there, and people called until then: it is told that somebody
    /// acknowledged one, one alert of an incident at a time, and of each whether its incident is `over`.
    fn acknowledges(&self) -> bool {
        false
    }

    /// The keys that every sink takes: `flow::notify` reads `then` and `reveal` here.
    fn options(&self) -> &Options {
        const { &Options::NONE }
    }
}
