//! Any bytes as a leaked file.

#![no_main]

#[path = "../bodies/dumps.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::containers(bytes));
