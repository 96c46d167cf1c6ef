//! The kinds of canary: each mints its markers and says where it fits. One file a kind, one row here.

pub mod bank_account;
pub mod credential;
pub mod document_link;
pub mod employee;
pub mod kind;
pub mod mail_alias;
pub mod payslip;
pub mod staff_list;

use crate::field::Field;
use kind::Kind;
use std::collections::BTreeSet;

/// Every kind. Those of rows stand in order, the richest first.
pub const ALL: &[Kind] = &[
    employee::KIND,
    credential::KIND,
    bank_account::KIND,
    mail_alias::KIND,
    document_link::KIND,
    payslip::KIND,
    staff_list::KIND,
];

/// The richest kind that a store with these mapped columns can hold; none if no value there would identify a canary.
pub fn of(fields: &BTreeSet<Field>, has_password_hash: bool) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.fits(fields, has_password_hash))
}

/// The kind of this name.
pub fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(fields: &[Field], has_password_hash: bool) -> Option<&'static str> {
        of(&fields.iter().copied().collect(), has_password_hash).map(|kind| kind.name)
    }

    #[test]
    fn a_store_gets_the_richest_kind_it_can_hold() {
        let person = [Field::GivenName, Field::FamilyName, Field::WorkEmail, Field::Iban];
        assert_eq!(kind_of(&person, true), Some("employee"));
        assert_eq!(kind_of(&[Field::FamilyName, Field::Nir], false), Some("employee"));
        assert_eq!(kind_of(&[Field::Username], true), Some("credential"));
        assert_eq!(kind_of(&[Field::WorkEmail, Field::Password], false), Some("credential"));
        assert_eq!(kind_of(&[Field::EmployeeNumber, Field::Iban], false), Some("bank_account"));
        assert_eq!(kind_of(&[Field::PersonalEmail], false), Some("mail_alias"));
        assert_eq!(kind_of(&[Field::GivenName, Field::FamilyName, Field::City], false), None);
        assert_eq!(kind_of(&[Field::Username], false), Some("credential"));
        assert_eq!(kind_of(&[], false), None);
    }

    #[test]
    fn names_are_unique_and_found() {
        for kind in ALL {
            assert!(named(kind.name).is_some_and(|found| found.about == kind.about));
            assert_eq!(ALL.iter().filter(|other| other.name == kind.name).count(), 1);
            assert!(kind.about.ends_with('.'));
        }
        assert!(named("invoice").is_none());
    }
}
