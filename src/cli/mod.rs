//! The command line. Every command but `init`, `restore`, `serve` and `drill` is one or more calls to the API.

pub mod args;
pub mod canaries;
pub mod case;
pub mod check;
pub mod client;
pub mod deliveries;
pub mod drill;
pub mod incidents;
pub mod index;
pub mod init;
pub mod journal;
pub mod keys;
mod loot;
pub mod material;
mod material_words;
pub mod outcome;
pub mod parts;
pub mod run;
pub mod serve;
pub mod shared;
pub mod simulate;
pub mod sinks;
pub mod stores;
pub mod terminal;
pub mod tokens;
pub mod verdict;
pub mod wording;
