//! Tests of `journal` through its public face.

mod backup;
mod counting;
mod evidence;
mod faults;
mod keys;
mod kill;
pub(crate) mod records;
mod recovery;
mod tamper;
