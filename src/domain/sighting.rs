//! A touch, as a sensor reports it, and a sighting: a touch that proved to be a canary's.

use crate::domain::mail::Mail;
use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One value that a visitor presented and that may be a marker. `hint` says what the sensor knows of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Presented {
    /// What kind of marker the value would be, if the place where it was presented tells: a login form's user name.
    pub hint: Option<MarkerKind>,
    /// The value, as presented.
    pub value: String,
    /// Not the value itself: HMAC-SHA256 of it under the key of the endpoint that it was presented to, in hexadecimal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hmac: bool,
}

/// How a touch came to the sensor: attribution gives each class its own rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The text of a leaked file or paste.
    Dump,
    /// A login with a canary's name or password.
    Login,
    /// A mail or message to a canary's alias.
    Mail,
    /// A document or its link was opened.
    Document,
    /// The host of a document's link was looked up, or the link was fetched by a program that fetches what passes it (a chat's
    /// preview, a mail gateway, a crawler), or from the house's own networks: the document need not have left.
    Preview,
    /// Somebody touched the canary where it stands: in its store.
    Store,
    /// Somebody asked its store for it, or opened its document there.
    Read,
}

impl Class {
    /// Whether it happened where the canary stands: it shows no copy.
    pub fn is_in_store(self) -> bool {
        matches!(self, Class::Store | Class::Read)
    }
}

/// What a patrol found of a canary in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Drift {
    /// This column of it, or the content of a document, is not what was planted.
    Altered { column: String },
    /// It is gone.
    Missing,
    /// It stands where neither anybody planted it nor a feed brings it.
    Copied,
}

/// A file of a store that somebody opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The store's configured name.
    pub store: String,
    /// The file's name within the store, with sub-folders separated by `/`.
    pub name: String,
}

/// What a sensor reports. It never judges: whether anything presented is a canary is decided by `flow::observe`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Touch {
    /// The sensor's configured name.
    pub sensor: String,
    /// Who vouches for the report: the socket's peer, or the API token's id (`token:…`).
    pub reporter: String,
    /// How it came.
    pub class: Class,
    /// When it happened, as far as the sensor knows.
    pub at: Timestamp,
    /// Where it came from: the socket's peer, unless a declared proxy names another.
    pub source_ip: Option<IpAddr>,
    /// The service touched: `portal`, `smtp`, a paste's address, `vpn`.
    pub service: String,
    /// The values that may be markers.
    pub presented: Vec<Presented>,
    /// The file that was opened, where that is what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opened>,
    /// Free text in which markers may stand: a paste, a mail's body.
    #[serde(with = "crate::domain::placement::base64_bytes")]
    pub text: Vec<u8>,
    /// What the mail is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<Mail>>,
    /// What was received, for the record: kept, sealed, only if a canary is in it.
    #[serde(with = "crate::domain::placement::base64_bytes")]
    pub evidence: Vec<u8>,
}

/// Not before, and not after, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

/// A canary was touched. Everything in it is kept under the canary's own key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// Its place in the journal.
    pub id: u64,
    /// When it happened, as the sensor told; if that cannot be, when it was received.
    pub at: Timestamp,
    /// The time that was told and cannot be: to come, or before there was anything to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Timestamp>,
    /// When it was made durable here.
    pub received_at: Timestamp,
    pub sensor: String,
    pub reporter: String,
    pub source_ip: Option<IpAddr>,
    pub service: String,
    pub canary: CanaryId,
    pub marker_kind: MarkerKind,
    pub class: Class,
    /// When the row that it stands in was copied, by the version of its salary, title, superior or telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<Span>,
    /// Keyed fingerprint of all the values of the row that it stands in, whatever their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<[u8; 16]>,
    /// Further kinds of its markers that were seen with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<MarkerKind>,
    /// What the rows of somebody who stands in every store show of what differs there, by the values' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<CanaryId>,
    /// What became of it in its store, where that is what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What the mail is, where one was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<Mail>>,
    /// A rehearsal's sighting: shown as one, and never counted in another verdict.
    pub drill: bool,
}
