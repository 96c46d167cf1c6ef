//! Any text as a table, cut anywhere.

#![no_main]

#[path = "../bodies/dumps.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::tables(bytes));
