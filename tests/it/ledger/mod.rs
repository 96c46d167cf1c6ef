//! Tests of `ledger` through its public face.

mod outbox;
mod placements;
mod rebuild;
mod records;
