//! Any bytes as a mail.

#![no_main]

#[path = "../bodies/mail.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::mail_read(bytes));
