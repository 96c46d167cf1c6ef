//! Tests of `attribution` through its public face.

mod figures;
mod golden;
mod innocents;
mod layers;
mod order;
mod organisation;
mod scenarios;
mod values;
