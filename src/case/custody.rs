//! The chain of custody: every item with its digest, who took it when and by what means, and what is not recorded. What the
//! house does not know is `null`.

use crate::case::{bundle::Sealed, gather::Case, report::VERSION, stamped::Stamped};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Read;

/// `custody.json`
pub fn record(case: &Case, origin: &str, entries: &[Sealed]) -> String {
    let items: Vec<Value> = entries
        .iter()
        .map(|sealed| {
            json!({
                "item": format!("journal entry {}", sealed.seq),
                "file": sealed.file(),
                "type": "sealed journal entry",
                "bytes": sealed.bytes.len(),
                "sha256": HEXLOWER.encode(&Sha256::digest(&sealed.bytes)),
                "leaf": HEXLOWER.encode(&crate::journal::merkle::leaf(&sealed.bytes)),
                "journaled_at": sealed.at,
                "sealed_under": sealed.key.to_string(),
                "opened_in_this_bundle": sealed.opening.is_some(),
            })
        })
        .collect();
    let materials: Vec<Value> = case
        .materials
        .iter()
        .map(|taken| {
            json!({
                "item": format!("evidence file {}", taken.file),
                "file": null,
                "type": "leaked material, as received",
                "bytes": taken.bytes,
                "sha256": taken.sha256,
                "taken_at": taken.at,
                "journal_entry": taken.entry,
                "trace": taken.trace,
                "stored": "sealed under a key of its own (XChaCha20-Poly1305) in the evidence folder; not in this bundle",
            })
        })
        .collect();
    let handled: Vec<Value> = case
        .moves
        .iter()
        .map(|moved| {
            json!({ "journal_entry": moved.seq, "at": moved.at, "by": moved.by, "purpose": format!("incident is {:?}", moved.state).to_lowercase() })
        })
        .chain(case.looks.iter().map(|look| {
            json!({ "journal_entry": look.entry, "at": look.at, "by": look.by, "purpose": format!("{}: {}", look.action, look.detail) })
        }))
        .collect();
    let record = json!({
        "format": "telltale-custody/1",
        "incident": case.incident.id,
        "collected_by": { "software": "telltale", "version": VERSION, "program_sha256": program() },
        "method": "sensors and operators report; each report is journaled as it arrives, in an append-only log chained by SHA-256",
        "journal": { "origin": origin, "entries": case.size, "last_entry_at": case.as_of },
        "time": {
            "source": "system clock, UTC",
            "offset_to_reference_seconds": case.stamp.as_ref().map(Stamped::offset),
            "reference": case.stamp.as_ref().map(|_| "the time-stamp authority of checkpoint.tsr, when it answered"),
        },
        "time_stamp": case.stamp,
        "witness": case.witness,
        "order": "the number of the journal entry tells the order, not the clock",
        "items": items,
        "material": materials,
        "handled": handled,
        "transfers": [],
        "legal_basis": null,
        "retention_until": null,
        "classification": null,
    });
    serde_json::to_string_pretty(&record).unwrap_or_default() + "\n"
}

/// SHA-256 of the program that runs: the file that was started, even if another took its name since.
fn program() -> Option<String> {
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    let mut file = std::fs::File::open("/proc/self/exe").ok()?;
    loop {
        match file.read(&mut piece).ok()? {
            0 => return Some(HEXLOWER.encode(&digest.finalize())),
            count => digest.update(&piece[..count]),
        }
    }
}
