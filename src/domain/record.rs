//! What the journal holds: every thing that happened, one record an entry. The ledger is nothing but their sum.

use crate::domain::{
    alert::Alert,
    incident::Incident,
    placement::{Contents, Lot, Placement},
    sighting::{Sighting, Touch},
    verdict::Verdict,
};
use canaries::{CanaryId, MarkerKind, index::Digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// One key of the index: a keyed fingerprint and what it stands for. It tells nothing without the fingerprint key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// Keyed fingerprint of the marker's canonical form, or of a digest of it.
    pub fingerprint: [u8; 16],
    pub kind: MarkerKind,
    /// The digest whose fingerprint this is; none for the plain form.
    pub digest: Option<Digest>,
}

/// A column of a planted row that no longer holds what was planted. Values are keyed fingerprints, never text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alteration {
    pub canary: CanaryId,
    pub field: String,
    pub old: String,
    pub new: String,
}

/// Who did an operator's action: `token:ID`, `uid:1000`, or `telltale` itself.
pub type Actor = String;

/// Touches by one source at one sensor within one minute, none of them a canary's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub sensor: String,
    /// None once a minute has more sources than are told apart.
    pub source: Option<IpAddr>,
    pub count: u64,
}

/// What came of an attempt to deliver an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The receiver has it.
    Delivered,
    /// Tried again after this long.
    Retry { after: Duration },
    /// Given up: a dead letter, kept for replay.
    Dead,
}

/// What an API token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Ingest,
    Analyst,
    Investigator,
    Planter,
    Auditor,
    Admin,
}

/// One thing that happened.
#[allow(clippy::large_enum_variant, reason = "records are made one at a time and serialised at once")]
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A canary is about to be planted. Sealed under the canary's key. Journaled before the store is touched.
    Planned {
        placement: Placement,
        contents: Contents,
        index: Vec<IndexEntry>,
    },
    /// The store holds the canary, at this locator. Sealed under the canary's key.
    Planted {
        canary: CanaryId,
        locator: String,
    },
    /// A planted canary is about to get other values in these columns, as time would change them. Sealed under the canary's
    /// key. Journaled before the store is touched.
    Revising {
        canary: CanaryId,
        /// 1 for the first change of what was planted.
        version: u32,
        changes: BTreeMap<String, String>,
        /// By which what is new of its markers is known: a telephone number that it has not had before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        index: Vec<IndexEntry>,
    },
    /// The store holds this version, at this locator; or, without one, it does not, and the version before stands.
    Revised {
        canary: CanaryId,
        version: u32,
        locator: Option<String>,
    },
    /// A planned canary that never reached its store (a conflict, a rolled-back transaction).
    Abandoned {
        canaries: Vec<CanaryId>,
    },
    /// What is really in a store: the audited presence. `present` holds own and copied canaries alike.
    Verified {
        store: String,
        present: Vec<CanaryId>,
        missing: Vec<CanaryId>,
        altered: Vec<Alteration>,
        copied: Vec<CanaryId>,
        /// Rows or documents that the store held, canaries among them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
    /// Taken out of the store, by us.
    Withdrawn {
        store: String,
        canaries: Vec<CanaryId>,
    },
    /// Which coded personas of a generation this store drew, and which not. It never changes, whatever comes of planting them.
    Drawn {
        store: String,
        generation: u32,
        lots: Vec<Lot>,
    },
    /// From now on, new canaries of this store belong to this generation.
    GenerationOpened {
        store: String,
        generation: u32,
    },
    /// A canary was touched. Sealed under the canary's key. `evidence` is base64, at most 64 KiB of what was received.
    Sighted {
        sighting: Sighting,
        evidence: String,
    },
    /// A touch that arrived before the index was ready: recognised later. Sealed under a file key of its own, which is
    /// erased once all that it seals is recognised, so that no stranger stays.
    Held {
        key: [u8; 16],
        touch: Touch,
    },
    /// Touches held up to and including this journal entry have been recognised.
    Released {
        up_to: u64,
    },
    /// The strangers of one minute, folded.
    Strangers {
        minute: Timestamp,
        tallies: Vec<Tally>,
    },
    /// An incident opened or changed, with the alert that tells of it and the sinks it is due at: one transaction.
    /// The alert's id is derived from this entry when the ledger takes it in.
    IncidentMoved {
        incident: Incident,
        /// Sightings up to and including this journal entry have been judged.
        judged: u64,
        /// Ids of the sightings that joined with this record.
        joined: Vec<u64>,
        alert: Option<Alert>,
        sinks: Vec<String>,
        by: Actor,
    },
    /// An alert without an incident: `sink.test`, `system.blind`.
    AlertRaised {
        alert: Alert,
        sinks: Vec<String>,
        by: Actor,
    },
    /// A delivery was attempted.
    Attempted {
        alert: String,
        sink: String,
        attempt: u32,
        outcome: AttemptOutcome,
        status: Option<u16>,
        /// Redacted answer or error, at most 16 kB.
        response: String,
        /// What was sent: to whom, how much, and its digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
    },
    /// Alerts that a failing sink has not got are due at the sink that its `then` names, too.
    HandedOver {
        from: String,
        to: String,
        alerts: Vec<String>,
    },
    /// Somebody wants these alerts, each with its sink, sent once more under their own ids.
    Replayed {
        deliveries: Vec<(String, String)>,
        by: Actor,
    },
    /// A sink has got nothing since then, though it was tried; journaled with the alert that tells the others.
    SinkFailing {
        sink: String,
        since: Timestamp,
    },
    /// An API token was made. Only the SHA-256 of the token is kept.
    TokenIssued {
        id: String,
        /// What people call it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        role: Role,
        sha256: [u8; 32],
        by: Actor,
    },
    TokenRevoked {
        id: String,
        by: Actor,
    },
    /// Somebody looked at, or did, something that is on the record: a reveal, an export, a key rotation.
    Acted {
        by: Actor,
        action: String,
        detail: String,
    },
    /// A login endpoint's filter was built. From then on digests of passwords under its key are known.
    GateBuilt {
        endpoint: String,
        /// Names that it knows, those of ghosts among them.
        names: u32,
        by: Actor,
    },
    /// How far a polling sensor has read; its own format.
    Positioned {
        sensor: String,
        position: serde_json::Value,
    },
    /// A leaked file was taken in; its bytes lie sealed under its own key in the evidence folder.
    MaterialTaken {
        trace: String,
        file: String,
        sha256: String,
        bytes: u64,
    },
    /// An authority stamped a signed checkpoint with the time (RFC 3161). Its answer was checked before this was written.
    Stamped {
        /// The checkpoint, word for word.
        checkpoint: String,
        /// Entries that the checkpoint vouches for.
        size: u64,
        /// The authority's answer, whole, as base64.
        answer: String,
        /// When, by the authority's clock.
        stamped_at: Timestamp,
        /// The certificates that were trusted for this, as PEM.
        roots: String,
    },
    /// The time-stamp authority gives no stamps; told once while it lasts.
    StampsFailing {
        authority: String,
        why: String,
    },
    /// A witness cosigned a signed checkpoint (C2SP tlog-witness). Its cosignature was checked before this was written.
    Witnessed {
        /// The checkpoint with the cosignature, word for word.
        checkpoint: String,
        /// Entries that the checkpoint vouches for.
        size: u64,
        /// The witness's public key.
        witness: String,
        /// When, by the witness's clock.
        cosigned_at: Timestamp,
    },
    /// The witness gives no cosignatures; told once while it lasts.
    WitnessFailing {
        witness: String,
        why: String,
    },
    /// A trace came to its verdict.
    Traced {
        trace: String,
        verdict: Verdict,
        by: Actor,
    },
}
