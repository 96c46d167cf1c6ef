//! A login with its password, which the store may keep as a hash.

use crate::{field::Field, kinds::kind::Kind};

/// A login with its password, which the store may keep as a hash.
pub const KIND: Kind = Kind {
    name: "credential",
    about: "A login and password that open nothing.",
    fields: &[Field::Username, Field::WorkEmail, Field::PersonalEmail, Field::EmployeeNumber, Field::Password],
    needs: &[&[Field::Username, Field::WorkEmail, Field::PersonalEmail], &[Field::Username, Field::Password]],
};
