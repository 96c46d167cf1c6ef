//! Any text with what is coded and written otherwise in it, cut anywhere.

#![no_main]

#[path = "../bodies/dumps.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::escapes(bytes));
