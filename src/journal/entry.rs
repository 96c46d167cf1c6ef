//! One journal entry as it is read back: its number, time and leaf, and the record, unless its key was erased.

use crate::{
    domain::record::Record,
    journal::{frame::Frame, key_ref::KeyRef, keyring::Keyring, merkle::Hash, seal},
};
use jiff::Timestamp;

/// The key of this entry was erased: what it told is gone for good, its place in the chain stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of this entry was erased")]
pub struct Erased;

/// One entry.
#[derive(Clone)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was journaled.
    pub at: Timestamp,
    /// Its leaf in the tree, which the next entry names.
    pub leaf: Hash,
    /// The key that sealed it.
    pub key: KeyRef,
    /// What it tells, with the ids that derive from its number filled in.
    pub record: Result<Record, Erased>,
}

/// The entry's seal does not open, or holds nothing that this binary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Opens the sealed body of a frame.
pub(crate) fn open(frame: &Frame<'_>, leaf: Hash, keyring: &Keyring) -> Result<Entry, Unreadable> {
    let record = match keyring.key(frame.key) {
        None => Err(Erased),
        Some(key) => {
            let place = Frame::place(frame.seq, frame.at, frame.key);
            let text = seal::open(&key, &frame.nonce, &place, frame.body).map_err(|_| Unreadable)?;
            let mut record = serde_json::from_slice(&text).map_err(|_| Unreadable)?;
            number(&mut record, frame.seq);
            Ok(record)
        }
    };
    Ok(Entry { seq: frame.seq, at: frame.at, leaf, key: frame.key, record })
}

/// Fills in the ids that derive from the entry's number, which nobody knew when the record was made: a sighting's
/// always, an alert's always, an incident's where it was left empty because this record opens it.
fn number(record: &mut Record, seq: u64) {
    match record {
        Record::Sighted { sighting, .. } => sighting.id = seq,
        Record::AlertRaised { alert, .. } => alert.id = format!("a-{seq}"),
        Record::IncidentMoved { incident, alert, .. } => {
            if incident.id.is_empty() {
                incident.id = format!("i-{seq}");
            }
            if let Some(alert) = alert {
                alert.id = format!("a-{seq}");
                if let Some(told) = &mut alert.incident
                    && told.id.is_empty()
                {
                    told.id.clone_from(&incident.id);
                }
            }
        }
        _ => {}
    }
}
