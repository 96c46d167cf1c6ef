//! Tests of `ledger` through its public face.

mod coded;
mod outbox;
mod placements;
mod rebuild;
pub(crate) mod records;
