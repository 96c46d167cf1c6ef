//! Which column of a store means which persona field: as configured, else as the shapes propose.

use crate::{
    flow::{
        context::{StoreSlot, listed},
        error::FlowError,
    },
    stores::store::{Columns, PasswordColumn, Profile},
};
use canaries::{Field, MarkerKind, password::Scheme, shape};
use std::collections::{BTreeMap, BTreeSet};

/// A store's columns, understood.
pub struct Mapping {
    /// Persona field to column name.
    pub fields: BTreeMap<Field, String>,
    /// Column of the password's hash, and its scheme.
    pub password: Option<(String, Scheme)>,
}

impl Mapping {
    /// The configured mapping, or the proposal where none is configured.
    ///
    /// # Errors
    /// Names the column or scheme that does not exist, and what does.
    pub fn of(slot: &StoreSlot, profile: &Profile) -> Result<Mapping, FlowError> {
        let configured = slot.store.columns();
        let mapping = if configured.fields.is_empty() && configured.password_hash.is_none() {
            propose(profile)
        } else {
            Mapping { fields: configured.fields.clone(), password: password(slot, configured.password_hash.as_ref())? }
        };
        let known: Vec<&str> = profile.columns.iter().map(|column| column.name.as_str()).collect();
        let used = mapping.fields.values().chain(mapping.password.iter().map(|(column, _)| column));
        for column in used.chain(slot.store.constants().keys()).chain(slot.kept_home.keys()) {
            if !known.iter().any(|name| name.eq_ignore_ascii_case(column)) {
                return Err(FlowError::Refused(format!(
                    "store {name}: there is no column {column:?}; it has: {}. Correct [stores.columns], [stores.constants] or \
                     [stores.kept_home]: \
                     `telltale profile {name}` proposes columns",
                    listed(&known),
                    name = slot.name
                )));
            }
        }
        if mapping.marker_columns().is_empty() {
            return Err(FlowError::Refused(format!(
                "store {name}: none of its columns ({}) is known to hold a marker (an address, phone, NIR, IBAN, login …): \
                 look at them with `telltale profile {name}`, and name them under [stores.columns]",
                listed(&known),
                name = slot.name
            )));
        }
        Ok(mapping)
    }

    /// The mapped fields.
    pub fn mapped(&self) -> BTreeSet<Field> {
        self.fields.keys().copied().collect()
    }

    /// Columns whose values identify a canary.
    pub fn marker_columns(&self) -> Vec<String> {
        self.fields
            .iter()
            .filter(|(field, _)| MarkerKind::of(**field).is_some())
            .map(|(_, column)| column.clone())
            .collect()
    }

    /// Columns by which this planted row is known again: those of markers that no chance makes. A phone or a personnel
    /// number is edited like any other value, and counts only where there is nothing better.
    pub fn identifiers(&self, row: &BTreeMap<String, String>) -> Vec<String> {
        let held = |column: &String| row.get(column).is_some_and(|value| !value.is_empty());
        let columns: Vec<String> = self.marker_columns().into_iter().filter(held).collect();
        let is_strong = |column: &&String| self.marker_kind(column).is_some_and(|kind| !kind.is_weak());
        let strong: Vec<String> = columns.iter().filter(is_strong).cloned().collect();
        if strong.is_empty() { columns } else { strong }
    }

    /// The kind of marker that this column holds.
    pub fn marker_kind(&self, column: &str) -> Option<MarkerKind> {
        self.fields
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(column))
            .and_then(|(field, _)| MarkerKind::of(*field))
    }

    /// As it is written in the configuration.
    pub fn as_columns(&self) -> Columns {
        Columns {
            password_hash: self
                .password
                .as_ref()
                .map(|(column, scheme)| PasswordColumn { column: column.clone(), scheme: scheme.to_string() }),
            fields: self.fields.clone(),
        }
    }
}

/// What names and shapes propose.
pub fn propose(profile: &Profile) -> Mapping {
    let columns: Vec<(String, String, shape::Shape)> = profile
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.type_name.clone(), column.shape.clone()))
        .collect();
    let (fields, password) = shape::propose_all(&columns);
    Mapping { fields, password }
}

fn password(slot: &StoreSlot, configured: Option<&PasswordColumn>) -> Result<Option<(String, Scheme)>, FlowError> {
    configured
        .map(|password| match password.scheme.parse::<Scheme>() {
            Ok(scheme) => Ok((password.column.clone(), scheme)),
            Err(error) => Err(FlowError::Refused(format!("store {}: password_hash.scheme: {error}", slot.name))),
        })
        .transpose()
}
