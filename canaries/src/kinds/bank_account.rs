//! A bank account that money would never reach.

use crate::{field::Field, kinds::kind::Kind};

/// A bank account that money would never reach.
pub const KIND: Kind = Kind {
    name: "bank_account",
    about: "An account number at a bank that does not exist.",
    fields: &[Field::Iban, Field::Bic, Field::EmployeeNumber],
    needs: &[&[Field::Iban]],
};
