//! Identifiers with rules of their own: made so that they are valid and nobody's, and checked by their own digits.

pub mod domain;
pub mod iban;
pub mod nir;
pub mod phone;
