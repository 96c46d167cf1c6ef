//! The self-contained message about an incident. Thin: no secret, no person, no marker's value.

use crate::domain::{
    incident::{Incident, Severity},
    sighting::Sighting,
};
use canaries::{CanaryId, Marker};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the alert is about; the names are the webhook's event types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlertType {
    #[serde(rename = "incident.opened")]
    IncidentOpened,
    #[serde(rename = "incident.updated")]
    IncidentUpdated,
    #[serde(rename = "incident.closed")]
    IncidentClosed,
    /// Several alerts in one, for a sink that gathers them.
    #[serde(rename = "incident.digest")]
    IncidentDigest,
    #[serde(rename = "sink.test")]
    SinkTest,
    #[serde(rename = "system.blind")]
    SystemBlind,
}

impl AlertType {
    /// The event type's name.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertType::IncidentOpened => "incident.opened",
            AlertType::IncidentUpdated => "incident.updated",
            AlertType::IncidentClosed => "incident.closed",
            AlertType::IncidentDigest => "incident.digest",
            AlertType::SinkTest => "sink.test",
            AlertType::SystemBlind => "system.blind",
        }
    }
}

/// A marker's value, for a sink with `reveal = true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revealed {
    pub canary: CanaryId,
    #[serde(flatten)]
    pub marker: Marker,
}

/// One alert of a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gathered {
    pub alert: String,
    #[serde(rename = "type")]
    pub alert_type: AlertType,
    pub at: Timestamp,
    pub incident: String,
    pub severity: Severity,
    pub summary: String,
}

/// What an incident grew by since it was told last, on the alert that sums it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// When it was told last.
    pub since: Timestamp,
    /// Sightings since then; the incident has the exact count of all.
    pub sightings: u64,
    /// The incident's first sighting, and the last so far: ids, and when they were received.
    pub first: u64,
    pub first_at: Timestamp,
    pub last: u64,
    pub last_at: Timestamp,
    /// Summaries since there was news, this one included.
    pub step: u32,
}

/// One alert, the same for every sink. `id` derives from its journal entry, so that a rebuild resends under it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// `a-` and the number of its journal entry.
    pub id: String,
    #[serde(rename = "type")]
    pub alert_type: AlertType,
    pub at: Timestamp,
    /// One sentence for people: "payroll leaked: 3 canaries seen by portal, mx and pastes".
    pub summary: String,
    /// The incident as it stood; none for `sink.test` and `system.blind`.
    pub incident: Option<Incident>,
    /// The sightings that caused this alert, newest last, at most ten.
    pub sightings: Vec<Sighting>,
    /// MITRE ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Address of the incident's page, where `api.public_url` is configured.
    pub link: Option<String>,
    /// What it sums up, where nothing but the count is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// The alerts that a digest stands for, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gathered: Vec<Gathered>,
    /// Rehearsal or test: every sink shows it.
    pub drill: bool,
    /// The values of the markers that were seen. Filled in at the attempt, for a sink that may have them; never journaled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revealed: Vec<Revealed>,
    /// Whether its incident was closed since. Filled in at the attempt, for a sink where incidents are opened and closed; never
    /// journaled.
    #[serde(skip)]
    pub over: bool,
}
