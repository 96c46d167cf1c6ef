//! Sightings that belong together.

use crate::domain::{mail::MailClass, verdict::Verdict};
use canaries::CanaryId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    Acknowledged,
    Closed,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Medium,
    High,
    Critical,
}

/// An incident as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Derived from the journal entry that opened it: `i-` and its number.
    pub id: String,
    pub state: State,
    pub severity: Severity,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    /// Exact count.
    pub sightings: u64,
    pub sensors: BTreeSet<String>,
    pub canaries: BTreeSet<CanaryId>,
    /// Stores in which its canaries were present.
    pub stores: BTreeSet<String>,
    /// Mails among the sightings, by what they seem to be for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mails: BTreeMap<MailClass, u64>,
    /// A rehearsal's.
    pub drill: bool,
    pub attribution: Verdict,
}
