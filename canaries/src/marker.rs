//! Markers: the values inside a canary that identify it.

use crate::field::Field;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The species of a marker; the names are those of the persona fields, and `document_link`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkerKind {
    WorkEmail,
    PersonalEmail,
    Phone,
    Nir,
    Iban,
    EmployeeNumber,
    Username,
    Password,
    BadgeNumber,
    DocumentLink,
}

impl MarkerKind {
    /// Every kind of marker.
    pub const ALL: &'static [MarkerKind] = &[
        MarkerKind::WorkEmail,
        MarkerKind::PersonalEmail,
        MarkerKind::Phone,
        MarkerKind::Nir,
        MarkerKind::Iban,
        MarkerKind::EmployeeNumber,
        MarkerKind::Username,
        MarkerKind::Password,
        MarkerKind::BadgeNumber,
        MarkerKind::DocumentLink,
    ];

    /// The name in configuration, JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self.field() {
            Some(field) => field.as_str(),
            None => "document_link",
        }
    }

    /// The persona field that bears this marker; none for a document link.
    pub fn field(self) -> Option<Field> {
        Some(match self {
            MarkerKind::WorkEmail => Field::WorkEmail,
            MarkerKind::PersonalEmail => Field::PersonalEmail,
            MarkerKind::Phone => Field::Phone,
            MarkerKind::Nir => Field::Nir,
            MarkerKind::Iban => Field::Iban,
            MarkerKind::EmployeeNumber => Field::EmployeeNumber,
            MarkerKind::Username => Field::Username,
            MarkerKind::Password => Field::Password,
            MarkerKind::BadgeNumber => Field::BadgeNumber,
            MarkerKind::DocumentLink => return None,
        })
    }

    /// The kind of marker that this persona field bears, if its value identifies anybody.
    pub fn of(field: Field) -> Option<MarkerKind> {
        MarkerKind::ALL.iter().copied().find(|kind| kind.field() == Some(field))
    }

    /// Whether chance alone may produce such a value, so that a sighting of it needs a second marker of the same
    /// canary nearby.
    pub fn is_weak(self) -> bool {
        matches!(self, MarkerKind::Phone | MarkerKind::EmployeeNumber | MarkerKind::BadgeNumber)
    }
}

impl fmt::Display for MarkerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One marker as it was planted. `Debug` shows the kind only, so that no value reaches a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// Its species.
    pub kind: MarkerKind,
    /// The value, in the style of the store that holds it.
    pub value: String,
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Marker({})", self.kind)
    }
}
