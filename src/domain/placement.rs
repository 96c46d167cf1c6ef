//! Where a canary stands: this canary, in this store, from this time to that, in this generation.

use canaries::{CanaryId, Field, Marker};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a placement is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Intended and journaled; the store may or may not hold it.
    Planned,
    /// The store holds it.
    Planted,
    /// The store holds it, but not as it was planted.
    Altered,
    /// The store no longer holds it, and not by us.
    Missing,
    /// Taken out by us.
    Withdrawn,
}

/// What stands in the store: the columns of one row, or one document.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planting {
    /// Column name to text value, in the store's own style.
    Row(BTreeMap<String, String>),
    /// One file: its name within the store, and its bytes.
    Document {
        /// File name, with sub-folders separated by `/`.
        name: String,
        /// The file's bytes.
        #[serde(with = "base64_bytes")]
        bytes: Vec<u8>,
    },
}

/// The secret part of a placement, sealed under the canary's own key wherever it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Contents {
    /// What stands in the store, as planted, password hashes too.
    pub planting: Planting,
    /// The markers in it, and those that it only implies: the password behind a stored hash.
    pub markers: Vec<Marker>,
    /// Where in the store, in the store's own terms; known once planted.
    pub locator: Option<String>,
}

/// One placement. `contents` travels apart, sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    pub canary: CanaryId,
    /// The kind's name: `employee`, `credential`, `payslip` …
    pub kind: String,
    /// The store's configured name.
    pub store: String,
    /// The planting epoch, from 1, counted per store.
    pub generation: u32,
    pub state: State,
    /// When the state was last established.
    pub since: Timestamp,
    /// The coded persona that stands here and in other stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<Shared>,
}

impl Placement {
    /// As what it is seen: its own markers name it, and those of a coded persona name the persona.
    pub fn seen_as(&self) -> CanaryId {
        self.persona.as_ref().map_or(self.canary, |persona| persona.id)
    }
}

/// A coded persona, as a placement bears it: enough to mint the same person for another store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Sightings and audits know it by this name.
    pub id: CanaryId,
    /// Its number within the generation.
    pub ordinal: u32,
    /// Which attempt at it fitted and was free.
    pub attempt: u32,
    /// When it was first minted, for whatever store.
    pub minted: Date,
}

/// A store's lot for one coded persona, or for one of the values that such a person may have in a column: drawn blindly, and
/// journaled before anything was planted by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lot {
    /// The persona's name; a value's own, which tells nothing of it.
    pub persona: CanaryId,
    /// The chance with which it was drawn; 1 of a persona that stands in every store.
    pub chance: f64,
    pub drawn: bool,
    /// Of what it is a value, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Valued>,
}

/// Of what a lot is a value: of this column, of this attempt at a persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valued {
    pub persona: CanaryId,
    pub field: Field,
    pub attempt: u32,
}

/// For how long a canary was in a store, as audited: the rows of the matrix that attribution works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    pub canary: CanaryId,
    /// The store that held it: the one it was planted in, or one that a feed copied it to.
    pub store: String,
    /// First known to be there.
    pub from: Timestamp,
    /// First known to be gone; still there where there is none.
    pub until: Option<Timestamp>,
}

/// Bytes as base64 text in JSON.
pub mod base64_bytes {

    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes them.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
