//! Any text, by both scanners on every instruction set.

#![no_main]

#[path = "../bodies/index.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::scanners(bytes));
