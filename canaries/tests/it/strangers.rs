//! Nobody is taken for a canary: a dump of strangers against an index of ghosts. The bench `false_sightings` does the same
//! on a gigabyte.

#[path = "../../benches/dump.rs"]
mod dump;
#[path = "../../benches/false_sightings/strangers.rs"]
mod dump_of_strangers;

#[test]
fn no_stranger_is_taken_for_a_canary() {
    // Long runs take a million ghosts; to mint them takes a debug build longer than to scan.
    let ghosts = if std::env::var_os("TELLTALE_LONG").is_some() { 1_000_000 } else { 100_000 };
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("strangers-of-tests");
    let answers = dump_of_strangers::answers(&path, 64 << 20, ghosts);
    std::fs::remove_file(&path).expect("it is ours");
    assert_eq!(answers.strong, []);
    assert_eq!(answers.weak, 0, "ghosts have no weak markers");
}
