//! Tests of `journal` through its public face.

mod counting;
mod faults;
mod keys;
mod kill;
pub(crate) mod records;
mod recovery;
mod speed;
mod tamper;
