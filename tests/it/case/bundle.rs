//! The case file: the same bytes each time, no value in it unless asked for, and sound in the eyes of others' tools.

use crate::{
    case::{Leak, leak},
    stores::rows::peer,
    support::source::root,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Every file under a folder, by path.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(&inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Whether a value stands in a text: not within a longer number or word, as a short one does in a digest or a time.
fn bears(text: &str, value: &str) -> bool {
    let part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    text.match_indices(value)
        .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + value.len()..].chars().next()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_case_is_the_same_bytes_and_holds_no_value() {
    let leak = leak().await;
    let told = leak.export("case", "").await;
    let again = leak.export("again", "").await;
    assert_eq!(told["files"], again["files"]);
    let (first, second) = (files(&leak.site.path("case")), files(&leak.site.path("again")));
    assert_eq!(first.len() as u64, told["files"].as_u64().unwrap());
    for (path, bytes) in &first {
        assert_eq!(Some(bytes), second.get(path), "{} differs between two exports", path.display());
        let text = String::from_utf8_lossy(bytes);
        for value in &leak.values {
            assert!(!bears(&text, value), "{} holds a marker's value", path.display());
        }
    }
    let complaint = leak.site.run(&format!("evidence export {} -o case", leak.incident)).await.complaint();
    assert!(complaint.contains("overwrites nothing"), "{complaint}");
    looks(&leak).await;
    let report = leak.json("case/data/report.json");
    for sighting in report["sightings"].as_array().unwrap() {
        let entry = sighting["entry"].as_u64().unwrap();
        assert!(first.contains_key(Path::new(&format!("data/proofs/{entry}.tlog-proof"))), "{entry} is not proven");
    }
    assert_eq!(report["sightings"].as_array().unwrap().len(), 10);
    assert_eq!(report["verdict"]["stores"][0]["store"], "export");
    assert_eq!(report["materials"].as_array().unwrap().len(), 1);
    let custody = leak.json("case/data/custody.json");
    assert_eq!(custody["material"][0]["sha256"], report["materials"][0]["sha256"]);
    assert_eq!(custody["collected_by"]["program_sha256"].as_str().unwrap().len(), 64);
}

/// Every export is a look on the record.
async fn looks(leak: &Leak) {
    let serving = leak.site.serve().await;
    let token = leak.site.token("auditor").await;
    let answer = crate::support::serving::client()
        .get(serving.api("/api/v1/journal?limit=1000"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let journal: Value = answer.json().await.unwrap();
    let acts = |action: &str| {
        let items = journal["items"].as_array().unwrap().iter();
        items
            .filter(|item| item["entry"]["action"] == action && item["entry"]["detail"] == json!(leak.incident))
            .count()
    };
    assert_eq!(acts("export"), 2, "{journal}");
    serving.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_tools_find_it_sound() {
    let python = peer("TELLTALE_TEST_EVIDENCE");
    let leak = leak().await;
    leak.export("case", "").await;
    let vkey = leak.site.run("evidence verify --json").await.ends(0).json()["vkey"].as_str().unwrap().to_owned();
    let case = leak.site.path("case");
    // What VERIFY.md says, done as it says: its programs, and every command line.
    let guide = leak.text("case/VERIFY.md");
    let programs: Vec<&str> =
        guide.split("```python\n").skip(1).map(|program| program.split("```").next().unwrap()).collect();
    let [program, reading, _, _] = programs[..] else { panic!("four programs are expected") };
    assert!(program.lines().count() <= 60, "short enough to be read");
    let opened = run(&python, &[Path::new("-c"), Path::new(reading)], &case);
    assert!(opened.contains("\"record\":\"incident_moved\"") && !opened.contains("\"sighted\""), "{opened}");
    let tools = Path::new(&python).parent().unwrap().display().to_string();
    let prose: String = guide.split("```").step_by(2).collect();
    let lines: Vec<&str> = prose.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        let path = format!("PATH={tools}:$PATH; {line}");
        run("bash", &["-ec", &path].map(Path::new), &case);
    }
    fs::write(leak.site.path("verify.py"), program).unwrap();
    let verified = run(&python, &[&leak.site.path("verify.py"), Path::new("."), Path::new(&vkey)], &case);
    assert!(verified.contains(&leak.incident) && verified.contains("entries proven"), "{verified}");
    let sums = ["--check", "--strict", "--quiet", "manifest-sha256.txt", "tagmanifest-sha256.txt"].map(Path::new);
    assert_eq!(run("sha256sum", &sums, &case), "");
    // The tools of others: bagit, pymerkle, stix2-validator, py-ocsf-models, cryptography.
    let checker = root().join("tests/peers/check_case.py");
    let told: Value = serde_json::from_str(&run(&python, &[&checker, Path::new(".")], &case)).unwrap();
    let report = leak.json("case/data/report.json");
    assert_eq!(told["sightings"], 10, "{told}");
    assert_eq!(told["moves"].as_u64().unwrap() as usize, report["moves"].as_array().unwrap().len(), "{told}");
    assert!(told["compared"].as_u64().unwrap() > 0, "sightings that alerts list are in opened entries: {told}");
    assert_eq!(told["opened_sightings"], 0, "a sighting stays closed: {told}");
    // Asked for, the sightings are opened too, and say the same.
    leak.export("open", " --reveal").await;
    let told: Value =
        serde_json::from_str(&run(&python, &[&checker, Path::new(".")], &leak.site.path("open"))).unwrap();
    assert_eq!(told["opened_sightings"], 10, "{told}");
    assert!(leak.text("open/data/report.json").contains("\"excerpt\""));
}

#[track_caller]
pub fn run(program: &str, arguments: &[&Path], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: run tests/run"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {complaint}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
