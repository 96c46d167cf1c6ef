//! Findings in a file: each of them a line that is valid, whatever a crash left before it, and no file grows for ever.

use super::alerts::{alert, build, judge, many};
use serde_json::Value;
use std::{fs, io::Write, path::Path};
use telltale::{domain::alert::Alert, sinks::sink::SinkError};

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_a_finding_and_full_files_are_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("telltale.ndjson");
    let sink = build("ocsf_file", &format!("path = '{}'\nmax_size = 1048576", path.display())).unwrap();
    sink.probe().await.unwrap();
    let sent = many();
    for several in sent.chunks(8) {
        for outcome in futures_util::future::join_all(several.iter().map(|alert| sink.send(alert))).await {
            outcome.unwrap();
        }
    }
    let names = files(folder.path());
    assert!(names.len() > 1 && names.last().unwrap() == "telltale.ndjson", "{names:?}");
    let texts: Vec<String> = names.iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap()).collect();
    assert!(texts.iter().all(|text| text.len() <= 1_048_576 && text.ends_with('\n')));
    let whole = texts.concat();
    assert_eq!(whole.lines().count(), sent.len(), "each once, and none across two files");
    assert!(judge("check_ocsf.py", &whole).contains("valid"));
}

#[tokio::test]
async fn what_a_crash_cut_short_spoils_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("telltale.ndjson");
    let sink = build("ocsf_file", &format!("path = '{}'", path.display())).unwrap();
    sink.send(&alert("")).await.unwrap();
    fs::File::options().append(true).open(&path).unwrap().write_all(b"{\"half\":").unwrap();
    let second = Alert { id: "a-43".to_owned(), ..alert("") };
    sink.send(&second).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Option<Value>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
    let whole: Vec<bool> = lines.iter().map(Option::is_some).collect();
    assert_eq!(whole, [true, false, true]);
    assert!(lines[2].as_ref().unwrap()["metadata"]["uid"].as_str().unwrap().contains("a-43"));
    // A collector may take the file away at any time.
    fs::remove_file(&path).unwrap();
    sink.send(&second).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn what_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/telltale.ndjson");
    let sink = build("ocsf_file", &format!("path = '{}'", path.display())).unwrap();
    assert!(sink.probe().await.unwrap_err().to_string().contains("folder does not exist"));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    fs::create_dir(folder.path().join("nowhere")).unwrap();
    sink.send(&alert("")).await.unwrap();
    // A disk without room.
    let sink = build("ocsf_file", "path = '/dev/full'").unwrap();
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    assert_eq!(build("ocsf_file", "path = 'x'\nmax_size = 10").err().unwrap().key, "max_size");
}
