//! What the scanner says of text that holds no canary: a gigabyte of a mixed dump against a million ghosts. Nothing may be
//! reported as strong. `cargo bench -p canaries --bench false_sightings`; NOISE_BENCH_MIB and NOISE_BENCH_GHOSTS set the
//! sizes. A plain test does the same on less.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops where it cannot go on")]

#[path = "../dump.rs"]
mod dump;
mod strangers;

fn main() {
    let setting =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (mib, ghosts) = (setting("NOISE_BENCH_MIB", 1024), setting("NOISE_BENCH_GHOSTS", 1_000_000));
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join("strangers");
    let answers = strangers::answers(&path, mib << 20, ghosts as u32);
    std::fs::remove_file(&path).unwrap();
    println!(
        "{mib} MiB without a canary, {ghosts} ghosts: {} strong sightings, {} weak; {} strangers bear a ghost's very value",
        answers.strong.len(),
        answers.weak,
        answers.namesakes
    );
    for (kind, offset) in answers.strong.iter().take(20) {
        println!("  {kind} at {offset}");
    }
    assert!(answers.strong.is_empty(), "a stranger was taken for a canary");
}
