//! An address of a domain whose mail arrives here.

use crate::{field::Field, kinds::kind::Kind};

/// An address of a domain whose mail arrives here.
pub const KIND: Kind = Kind {
    name: "mail_alias",
    about: "A mail address that nobody has a reason to write to.",
    fields: &[Field::WorkEmail, Field::PersonalEmail],
    needs: &[&[Field::WorkEmail, Field::PersonalEmail]],
};
