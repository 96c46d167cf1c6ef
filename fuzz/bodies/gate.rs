//! What is fuzzed of the gate: it takes any bytes and panics where something does not hold.

use gate::{Builder, Gate, GateKey};
use std::sync::LazyLock;

const NAMES: [&str; 3] = ["amartin7", "alice.martin@example.org", "zoé"];

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut builder = Builder::new(key());
    NAMES.iter().for_each(|name| builder.add(name));
    builder.write("vpn", 1_780_000_000).expect("three names fit")
});

fn key() -> GateKey {
    GateKey::new([7; 32])
}

/// Any bytes, and a filter file in which some bytes are others, that is cut or has more behind it: refused, or unharmed.
pub fn gate_open(bytes: &[u8]) {
    assert!(Gate::open(bytes, &key()).is_err(), "nobody guesses a seal");
    let _ = gate::endpoint(bytes);
    let mut damaged = FILE.clone();
    for change in bytes.chunks_exact(4) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % damaged.len();
        damaged[at] ^= change[3];
    }
    if let Some(cut) = bytes.first().filter(|first| **first > 127) {
        damaged.truncate(damaged.len().saturating_sub(usize::from(*cut - 127)));
    }
    let same = damaged == *FILE;
    let opened = Gate::open(&damaged, &key());
    assert_eq!(opened.is_ok(), same, "a file of other bytes is refused");
    assert!(Gate::open(&damaged, &GateKey::new([8; 32])).is_err(), "another key opens nothing");
    if let Ok(gate) = opened {
        assert!(NAMES.iter().all(|name| gate.knows(name)));
    }
}

/// Any text as a user name: answered, the same in every spelling of its case, and never a canary's by chance.
pub fn gate_names(name: &str) {
    static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::open(&FILE, &key()).expect("it was just made"));
    // Too long a name is nobody's, whatever stands at its end.
    if name.len() + "ACME\\".len() > 2048 {
        return assert!(name.len() <= 2048 || !GATE.knows(name));
    }
    let known = GATE.knows(name);
    let mut spelt = name.trim().rsplit(['\\', '/']).next().into_iter().flat_map(|bare| {
        let bare = gate::canonical(bare).unwrap_or_default();
        let local = bare.split('@').next().unwrap_or_default().trim().to_owned();
        [bare, local]
    });
    assert_eq!(known, spelt.any(|spelt| NAMES.contains(&spelt.as_str())), "{name:?}");
    assert_eq!(GATE.knows(&format!("ACME\\{name}")), known, "{name:?}");
}
