//! Tests of `flow` through the true binary.

mod again;
mod collected;
mod crowded;
mod erased;
pub(crate) mod full;
mod growth;
mod heartbeat;
mod hostile;
mod house;
mod incidents;
mod kills;
mod links;
mod load;
mod mails;
mod oracle;
mod patrol;
mod readers;
mod revealing;
mod single;
mod sled;
mod taken;
mod tells;
mod times;
mod updates;
