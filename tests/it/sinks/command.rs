//! A command that gets alerts: what it reads, what its end means, and that it is left in time.

use super::alerts::{alert, build, hostile};
use serde_json::Value;
use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};
use telltale::sinks::sink::{Sink, SinkError};

fn program(folder: &Path, script: &str) -> Box<dyn Sink> {
    let path = folder.join("page");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    build("command", &format!("command = ['{}', '$(id)', 'two words']", path.display())).unwrap()
}

#[tokio::test]
async fn it_reads_the_alert_as_one_line_and_inherits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let sink = program(folder.path(), &format!("cat >> {0}; env > {0}.env; printf '%s|' \"$@\"", out.display()));
    sink.probe().await.unwrap();
    let texts = hostile();
    for text in &texts {
        assert_eq!(sink.send(&alert(text)).await.unwrap().response, "$(id)|two words|");
    }
    let lines = std::fs::read_to_string(&out).unwrap();
    assert_eq!(lines.lines().count(), texts.len(), "one alert is one line, whatever stands in it");
    for line in lines.lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&told["id"], &told["type"]), (&"a-42".into(), &"incident.opened".into()));
    }
    let environment = std::fs::read_to_string(folder.path().join("out.env")).unwrap();
    assert!(!environment.contains("CARGO") && !environment.contains("HOME="), "{environment}");
}

#[tokio::test]
async fn its_exit_says_whether_to_try_again() {
    let folder = tempfile::tempdir().unwrap();
    for (script, gives_up, part) in [
        ("exit 1", false, "exit status: 1"),
        ("echo busy >&2; exit 75", false, "busy"),
        ("echo 'no such team' >&2; exit 78", true, "no such team"),
        ("exit 64", true, "64"),
        ("kill -9 $$", false, "signal"),
        ("exec < /dev/null; exit 3", false, "3"),
    ] {
        let error = program(folder.path(), script).send(&alert(&"x".repeat(200_000))).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::GiveUp { .. }), gives_up, "{script}: {error:?}");
        assert!(error.to_string().contains(part), "{script}: {error}");
    }
    let receipt = program(folder.path(), "yes | head -c 5000000").send(&alert("")).await.unwrap();
    assert!(receipt.response.len() <= 16 * 1024, "{}", receipt.response.len());
}

#[tokio::test]
async fn one_that_hangs_is_killed_in_time_and_one_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let start = Instant::now();
    let sink = program(folder.path(), &format!("echo $$ > {}; exec sleep 60", pid.display()));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }) && error.to_string().contains("15 s"), "{error:?}");
    assert!((Duration::from_secs(14)..Duration::from_secs(18)).contains(&start.elapsed()));
    let pid = std::fs::read_to_string(pid).unwrap();
    let gone = || !Path::new(&format!("/proc/{}/fd/0", pid.trim())).exists();
    for _ in 0..50 {
        if gone() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(gone(), "it was killed");
    let missing = build("command", "command = ['/no/such/program']").unwrap();
    assert!(missing.probe().await.unwrap_err().to_string().contains("/no/such/program"));
    assert!(matches!(missing.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    build("command", "command = ['true']").unwrap().probe().await.unwrap();
    assert_eq!(build("command", "command = []").err().unwrap().key, "command");
}
