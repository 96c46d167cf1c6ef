//! A whole personnel record: a person's row with all that the store keeps of its people.

use crate::{field::Field, kinds::kind::Kind};

/// A whole personnel record: a person's row with all that the store keeps of its people.
pub const KIND: Kind = Kind {
    name: "employee",
    about: "A personnel record of an employee who does not exist.",
    fields: Field::ALL,
    needs: &[
        &[Field::GivenName, Field::FamilyName, Field::BirthDate, Field::Nir],
        &[
            Field::WorkEmail,
            Field::PersonalEmail,
            Field::Nir,
            Field::Iban,
            Field::Username,
            Field::EmployeeNumber,
            Field::BadgeNumber,
            Field::Phone,
        ],
    ],
};
