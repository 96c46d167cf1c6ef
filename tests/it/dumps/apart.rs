//! Containers are read by a process of their own: what it may cost, what it knows, and what its end costs.

use super::{MARKER, find_within, gzip, members, zip};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};
use telltale::dumps::{Limits, NotScanned};

/// The limits of this program's own reader.
pub fn apart() -> Limits {
    Limits { program: Some(env!("CARGO_BIN_EXE_telltale").into()), ..Limits::default() }
}

/// A script that stands in for the reader, in a folder that lives as long as it.
pub struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    pub fn new(lines: &str) -> Script {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = Script { folder };
        fs::write(script.path(), format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{lines}\n")).expect("it can be written");
        fs::set_permissions(script.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        script
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("reader")
    }

    pub fn limits(&self) -> Limits {
        Limits { program: Some(self.path()), ..Limits::default() }
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn reasons(left: &[NotScanned]) -> Vec<&str> {
    left.iter().map(|left| left.reason.as_str()).collect()
}

#[test]
fn what_a_reader_tells_is_what_is_read_here() {
    let long = format!("name;mail\n{}André;{MARKER}\n", "x;bob@example.org\n".repeat(90_000));
    let inner = zip(&[("a.csv", long.as_bytes()), ("b.txt", MARKER.as_bytes()), ("c.gz", &gzip(MARKER.as_bytes()))]);
    for (name, bytes) in
        [("leak.zip", inner.clone()), ("leak.zip.gz", gzip(&inner)), ("cut.zip", inner[..900].to_vec())]
    {
        let here = find_within(name, &bytes, &Limits { program: None, ..Limits::default() });
        let there = find_within(name, &bytes, &apart());
        assert_eq!(here, there, "{name}");
        assert!(!there.0.is_empty() || name == "cut.zip", "{name}");
    }
}

#[test]
fn a_reader_gets_no_secret_and_no_key() {
    let key = tempfile::NamedTempFile::new().expect("a temporary file");
    let script = Script::new("env > seen; cat > /dev/null; ls -l /proc/self/fd > files");
    let (_, summary) = find_within("secret name.gz", &gzip(b"x"), &script.limits());
    assert_eq!(summary.not_scanned.len(), 1);
    let seen = script.read("seen");
    let names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.contains(&"TELLTALE_READS"), "{seen}");
    // What the shell itself adds.
    assert!(names.iter().all(|name| ["TELLTALE_READS", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)), "{seen}");
    // What is open here is not open there.
    let files = script.read("files");
    assert!(files.contains(" 0 -> ") && !files.contains(&*key.path().to_string_lossy()), "{files}");
}

#[test]
fn a_reader_that_fails_costs_its_own_file_and_no_other() {
    let gz = gzip(MARKER.as_bytes());
    for (script, why) in [
        ("exit 3", "failed"),
        ("kill -ABRT $$", "more memory"),
        ("kill -XCPU $$", "more time"),
        ("cat > /dev/null; echo 'this is no frame, and long enough to be none'", "nonsense"),
        ("exec > /dev/null; sleep 600", "failed"),
        ("sleep 600", "hung"),
    ] {
        let script = Script::new(script);
        let limits = Limits { silence: Duration::from_millis(300), ..script.limits() };
        let (places, summary) = find_within("leak.gz", &gz, &limits);
        assert_eq!(places, []);
        assert!(summary.not_scanned.len() == 1 && summary.not_scanned[0].reason.contains(why), "{why}: {summary:?}");
    }
    let nowhere = Limits { program: Some("/nowhere/telltale".into()), ..Limits::default() };
    let (_, summary) = find_within("leak.gz", &gz, &nowhere);
    assert!(reasons(&summary.not_scanned)[0].contains("could not be started"));
    // And the next file is read.
    assert_eq!(members(&find_within("leak.csv.gz", &gz, &apart()).0), ["leak.csv"]);
}

#[test]
fn a_reader_that_runs_out_of_memory_is_noted() {
    let mut noise = vec![0; 40 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let held = gzip(&zip(&[("a.txt", MARKER.as_bytes()), ("noise", &noise)]));
    let limits = Limits { memory_bytes: 24 << 20, ..apart() };
    let (_, summary) = find_within("held.zip.gz", &held, &limits);
    assert!(summary.not_scanned.iter().any(|left| left.reason.contains("memory")), "{summary:?}");
    let (places, summary) = find_within("held.zip.gz", &held, &apart());
    assert_eq!((members(&places), summary.not_scanned.len()), (vec!["held.zip/a.txt"], 0), "{summary:?}");
}

#[test]
fn plain_text_needs_no_reader() {
    let script = Script::new("exit 3");
    let (places, summary) = find_within("leak.csv", format!("a;b\n1;{MARKER}\n").as_bytes(), &script.limits());
    assert_eq!((places.len(), summary.not_scanned.len()), (1, 0));
}
