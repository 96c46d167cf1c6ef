//! Which kinds of personal data a store holds, as far as its configured columns and what was planted in it tell. Of
//! people's own rows nothing is read.

use crate::{
    domain::placement::{Contents, Planting},
    stores::store::Columns,
};
use canaries::{Field, MarkerKind, shape};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A kind of personal data, as authorities ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The social security number, which lasts for life.
    Nir,
    Health,
    PlaintextPasswords,
    HashedPasswords,
    BankDetails,
    CivilStatus,
    Contact,
    Employment,
    Logins,
}

impl Category {
    fn of(field: Field) -> Category {
        match field {
            Field::Nir => Category::Nir,
            Field::HealthInsurer | Field::LeaveReason => Category::Health,
            Field::Password => Category::PlaintextPasswords,
            Field::Iban | Field::Bic | Field::Salary => Category::BankDetails,
            Field::GivenName | Field::FamilyName | Field::Gender | Field::BirthDate | Field::BirthPlace => {
                Category::CivilStatus
            }
            Field::WorkEmail | Field::PersonalEmail | Field::Phone | Field::Address | Field::Postcode | Field::City => {
                Category::Contact
            }
            Field::Username => Category::Logins,
            Field::EmployeeNumber
            | Field::JobTitle
            | Field::Department
            | Field::Manager
            | Field::HireDate
            | Field::Contract
            | Field::BadgeNumber => Category::Employment,
        }
    }

    /// Whether data of this kind alone makes the risk for people a high one.
    pub fn is_grave(self) -> bool {
        matches!(self, Category::Nir | Category::Health | Category::PlaintextPasswords)
    }
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    pub fields: BTreeSet<Field>,
    pub categories: BTreeSet<Category>,
    /// How it keeps passwords' hashes; none where that is not known.
    pub password_scheme: Option<String>,
}

/// What is learnt from what was planted in a store.
#[derive(Default)]
pub struct Learning {
    columns: BTreeMap<String, shape::Learner>,
    markers: BTreeSet<MarkerKind>,
    plaintext: bool,
}

impl Learning {
    /// Looks at one canary as it was planted, and keeps none of its values.
    pub fn see(&mut self, contents: &Contents) {
        let Planting::Row(row) = &contents.planting else {
            self.markers.extend(contents.markers.iter().map(|marker| marker.kind));
            return;
        };
        for marker in &contents.markers {
            let stands = row.values().any(|value| *value == marker.value);
            match marker.kind {
                // A password behind a hash is implied, not held.
                MarkerKind::Password => self.plaintext |= stands,
                kind => drop(self.markers.insert(kind)),
            }
        }
        for (column, value) in row {
            self.columns.entry(column.clone()).or_default().see(Some(value.as_str()));
        }
    }

    /// What the store holds, by its configured columns, or else by what theirs look like.
    pub fn conclude(self, configured: &Columns) -> Holdings {
        let mut fields: BTreeSet<Field> = configured.fields.keys().copied().collect();
        let mut scheme = configured.password_hash.as_ref().map(|password| password.scheme.clone());
        if fields.is_empty() {
            let columns: Vec<_> =
                self.columns.into_iter().map(|(name, learner)| (name, String::new(), learner.finish())).collect();
            let (proposed, password) = shape::propose_all(&columns);
            fields.extend(proposed.into_keys());
            scheme = scheme.or_else(|| password.map(|(_, scheme)| scheme.to_string()));
        }
        fields.extend(self.markers.into_iter().filter_map(MarkerKind::field));
        let mut categories: BTreeSet<Category> = fields.iter().copied().map(Category::of).collect();
        if self.plaintext || scheme.as_deref() == Some("plain") {
            categories.insert(Category::PlaintextPasswords);
        } else if scheme.is_some() {
            categories.insert(Category::HashedPasswords);
        }
        Holdings { fields, categories, password_scheme: scheme }
    }
}
