//! Tests that are repeated with chance: their seed, how often, and what they say of it.

use std::io::Write;

/// The seed: `TELLTALE_SEED`, or a new one. It is named where such a test fails: with it the moments are the same again.
pub fn seed() -> u64 {
    match std::env::var("TELLTALE_SEED") {
        Ok(seed) => seed.parse().expect("TELLTALE_SEED is a number"),
        Err(_) => rand::random(),
    }
}

/// Whether the full counts are wanted.
pub fn long() -> bool {
    std::env::var_os("TELLTALE_LONG").is_some()
}

/// A line for whoever reads the tests' output.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
