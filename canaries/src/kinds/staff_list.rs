//! A staff list as an XLSX workbook; the canary is the first of its rows.

use crate::{field::Field, kinds::kind::Kind};

/// A staff list as an XLSX workbook; the canary is the first of its rows.
pub const KIND: Kind = Kind {
    name: "staff_list",
    about: "A workbook of employees who do not exist.",
    fields: &[Field::WorkEmail, Field::Phone, Field::EmployeeNumber],
    needs: &[],
};
