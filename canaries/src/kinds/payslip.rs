//! A payslip as a PDF file, with the identifiers that payslips bear.

use crate::{field::Field, kinds::kind::Kind};

/// A payslip as a PDF file, with the identifiers that payslips bear.
pub const KIND: Kind = Kind {
    name: "payslip",
    about: "A payslip of an employee who does not exist.",
    fields: &[Field::Nir, Field::Iban, Field::EmployeeNumber],
    needs: &[],
};
