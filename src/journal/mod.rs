//! The append-only, hash-chained record of all that happened: the truth. An answer of "durable" means that the entry
//! was synced. It knows no ledger, never changes an entry, and only this folder and `ledger/` write our data.

pub mod backup;
pub mod checkpoint;
pub mod cosignature;
pub mod counts;
pub mod disk;
pub mod entry;
pub mod evidence;
pub mod frame;
pub mod key_ref;
pub mod keyring;
pub mod lock;
pub mod log;
pub mod master;
pub mod merkle;
pub mod proof;
pub mod reader;
pub mod recovery;
pub mod restore;
pub mod seal;
pub mod segment;
pub mod timestamp;
pub mod verify;
mod writer;
