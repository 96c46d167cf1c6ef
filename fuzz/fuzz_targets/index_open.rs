//! Any bytes as an index file.

#![no_main]

#[path = "../bodies/index.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::index_open(bytes));
