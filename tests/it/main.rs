//! The one test binary: folders mirror `src/`.

mod api;
mod attribution;
mod case;
mod cli;
mod dumps;
mod flow;
mod gate;
mod journal;
mod ledger;
mod sensors;
mod sinks;
mod stores;
mod support;
mod tidy;
