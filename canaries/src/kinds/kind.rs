//! What a kind is: which fields make it up, and which of their values are markers.

use crate::{
    field::Field,
    marker::{Marker, MarkerKind},
    persona::Persona,
};
use std::collections::BTreeSet;

/// A species of canary.
#[derive(Debug)]
pub struct Kind {
    /// The name in journal, API and messages.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// The fields that make it up.
    pub fields: &'static [Field],
    /// For rows: one field of each of these groups must have a column. None: a document.
    pub(crate) needs: &'static [&'static [Field]],
}

impl Kind {
    /// Whether it is a file, not a row.
    pub fn is_document(&self) -> bool {
        self.needs.is_empty()
    }

    /// Whether rows with these fields can be of this kind. A column of password hashes counts as a password.
    pub(crate) fn fits(&self, fields: &BTreeSet<Field>, has_password_hash: bool) -> bool {
        let present = |field: &Field| fields.contains(field) || (*field == Field::Password && has_password_hash);
        !self.is_document() && self.needs.iter().all(|group| group.iter().any(present))
    }

    /// The canonical markers of the fields that are mapped, and the password where only its hash is stored.
    pub fn markers(&self, persona: &Persona, mapped: &BTreeSet<Field>, implied_password: bool) -> Vec<Marker> {
        let wanted = |field: &&Field| mapped.contains(field) || (**field == Field::Password && implied_password);
        let marker = |field: &Field| {
            let value = persona.get(*field);
            let kind = MarkerKind::of(*field).filter(|_| !value.is_empty())?;
            Some(Marker { kind, value: value.to_owned() })
        };
        self.fields.iter().filter(wanted).filter_map(marker).collect()
    }
}
