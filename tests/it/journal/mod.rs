//! Tests of `journal` through its public face.

mod backup;
mod counting;
mod evidence;
mod faults;
mod keys;
mod kill;
mod power;
pub(crate) mod records;
mod recovery;
mod tamper;
pub(crate) mod works;
