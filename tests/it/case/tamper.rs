//! Whatever is done to a case file, `evidence verify` finds it, with public keys alone.

use crate::case::{bundle::files, leak};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use telltale::case::check::{Checked, check};

fn checked(folder: &Path) -> Checked {
    check(folder, &[]).unwrap()
}

/// Does something to the case, expects that it is found, and puts everything back.
fn found(case: &Path, all: &[(PathBuf, Vec<u8>)], what: &str, harm: impl FnOnce()) -> Checked {
    harm();
    let checked = checked(case);
    assert!(!checked.faults.is_empty(), "{what} is not found");
    for path in files(case).keys().filter(|path| !all.iter().any(|(known, _)| known == *path)) {
        fs::remove_file(case.join(path)).unwrap();
    }
    for (path, bytes) in all {
        if fs::read(case.join(path)).ok().as_ref() != Some(bytes) {
            fs::write(case.join(path), bytes).unwrap();
        }
    }
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn any_harm_to_a_case_file_is_found() {
    let leak = leak().await;
    leak.export("case", "").await;
    let case = leak.site.path("case");
    let vkey = leak.site.run("evidence verify --json").await.ends(0).json()["vkey"].as_str().unwrap().to_owned();
    // Offline: another folder, no configuration, no data.
    let elsewhere = tempfile::tempdir().unwrap();
    let command = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_telltale"));
        command.current_dir(elsewhere.path()).args(["--json", "evidence", "verify"]).arg(&case).args(more);
        let output = command.output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let (code, told) = command(&["--key", &vkey]);
    assert_eq!(
        (code, &told["faults"], &told["key_is_trusted"]),
        (Some(0), &serde_json::json!([]), &true.into()),
        "{told}"
    );
    assert_eq!(told["incident"], leak.incident.as_str());
    let stranger = telltale::journal::checkpoint::Signer::new("telltale.invalid/x", &[9; 32]).vkey().to_string();
    let (code, told) = command(&["--key", &stranger]);
    assert_eq!((code, &told["key_is_trusted"]), (Some(3), &false.into()), "{told}");

    let all: Vec<(PathBuf, Vec<u8>)> = files(&case).into_iter().collect();
    for (path, bytes) in &all {
        let (name, at) = (path.display().to_string(), case.join(path));
        found(&case, &all, &format!("{name} dropped"), || fs::remove_file(&at).unwrap());
        if let Some((_, short)) = bytes.split_last() {
            found(&case, &all, &format!("{name} cut"), || fs::write(&at, short).unwrap());
        }
        found(&case, &all, &format!("{name} grown"), || fs::write(&at, [bytes, &b"\n"[..]].concat()).unwrap());
    }
    found(&case, &all, "a file more", || fs::write(case.join("data/more.txt"), "more").unwrap());
    found(&case, &all, "a file beside", || fs::write(case.join("README"), "more").unwrap());
    let entries: Vec<&PathBuf> =
        all.iter().map(|(path, _)| path).filter(|path| path.starts_with("data/entries")).collect();
    found(&case, &all, "two entries swapped", || {
        let (one, other) = (case.join(entries[0]), case.join(entries[1]));
        fs::rename(&one, case.join("aside")).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(case.join("aside"), &other).unwrap();
    });
    // Not even somebody who makes all the digests anew gets past the signature.
    let forged = found(&case, &all, "a forged report", || {
        let report = case.join("data/report.json");
        let text = fs::read_to_string(&report).unwrap().replace("\"export\"", "\"payroll\"");
        fs::write(&report, text).unwrap();
        remake_manifests(&case);
    });
    assert!(forged.faults.iter().any(|fault| fault.contains("signed for other files")), "{:?}", forged.faults);

    any_other_harm(&case, &all);
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let flipped = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..8);
    runner
        .run(&flipped, |(file, at, bit)| {
            let (path, bytes) = &all[file.index(all.len())];
            if !bytes.is_empty() {
                let mut bytes = bytes.clone();
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
                // In place, and put back: the files are many.
                fs::write(case.join(path), &bytes).unwrap();
                let faults = checked(&case).faults;
                fs::write(case.join(path), &all[file.index(all.len())].1).unwrap();
                prop_assert!(!faults.is_empty(), "byte {at} of {} flipped, and not found", path.display());
            }
            Ok(())
        })
        .unwrap();
    assert!(checked(&case).faults.is_empty());
}

/// Bytes dropped, added, cut off, moved; lines dropped or swapped; files exchanged: at any place.
fn any_other_harm(case: &Path, all: &[(PathBuf, Vec<u8>)]) {
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let places = prop::collection::vec(any::<prop::sample::Index>(), 4);
    runner
        .run(&(places, 0..6u8), |(places, harm)| {
            let (path, before) = &all[places[0].index(all.len())];
            let (one, other) = (places[1].index(before.len() + 1), places[2].index(before.len() + 1));
            let (from, to) = (one.min(other), one.max(other));
            let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
            let (line, another) = (places[1].index(lines.len()), places[2].index(lines.len()));
            let after = match harm {
                0 => [&before[..from], &before[to..]].concat(),
                1 => [&before[..from], b"0", &before[from..]].concat(),
                2 => before[..from].to_vec(),
                3 => [&before[to..], &before[..to]].concat(),
                4 => {
                    let mut lines = lines.clone();
                    lines.swap(line, another);
                    lines.concat()
                }
                _ => all[places[3].index(all.len())].1.clone(),
            };
            if after == *before {
                return Ok(());
            }
            fs::write(case.join(path), &after).unwrap();
            let faults = checked(case).faults;
            fs::write(case.join(path), before).unwrap();
            prop_assert!(!faults.is_empty(), "harm {harm} to {} at {from} to {to} is not found", path.display());
            Ok(())
        })
        .unwrap();
}

/// As a forger would: every digest that can be made without a key.
fn remake_manifests(bag: &Path) {
    use telltale::case::bundle::{self, Files};
    let read =
        || -> Files { files(bag).into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)).collect() };
    let payload = bundle::manifest(read().iter().filter(|(path, _)| path.starts_with("data/")));
    fs::write(bag.join("manifest-sha256.txt"), payload).unwrap();
    fs::write(bag.join(bundle::TAG_MANIFEST), bundle::manifest_of_tags(&read())).unwrap();
}
