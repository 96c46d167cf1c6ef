//! Any bytes as a gate's filter file, and as a user name.

#![no_main]

#[path = "../bodies/gate.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::gate_open(bytes);
    bodies::gate_names(&String::from_utf8_lossy(bytes));
});
