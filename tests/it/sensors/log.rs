//! Logs that are followed: over rotation, truncation and restarts each line is read once; by the true service, killed at any
//! moment, a canary's login is a sighting once; and the log of a real OpenSSH daemon is understood.

use crate::{
    sensors::observer::{Recorder, Watching, presented},
    support::{
        inbox::Inbox,
        service::{Site, configuration, marker},
    },
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::Path,
    time::{Duration, Instant, SystemTime},
};
use telltale::{
    domain::section::Section,
    sensors::{
        log::{
            Log,
            tail::{Position, Tail},
        },
        sensor::Sensor as _,
    },
};
use tokio::process::Command;

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What may happen to a log, and to whoever follows it.
#[derive(Clone, Debug)]
enum Step {
    Lines(usize),
    Half,
    /// Renamed, as logrotate does; those renamed before move on.
    Rotate,
    /// Copied and emptied, as logrotate's `copytruncate` does.
    Copy,
    Look,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..5_usize).prop_map(Step::Lines),
        1 => Just(Step::Half),
        2 => Just(Step::Rotate),
        1 => Just(Step::Copy),
        4 => Just(Step::Look),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

/// Moves the older ones on, and has each look as old as it is.
fn rotated(log: &Path, by_copy: bool, turn: u64) {
    let numbered = |number: usize| log.with_file_name(format!("auth.log.{number}"));
    for number in (1..60).rev().filter(|number| numbered(*number).exists()) {
        fs::rename(numbered(number), numbered(number + 1)).unwrap();
    }
    if by_copy {
        fs::copy(log, numbered(1)).unwrap();
        File::options().write(true).open(log).unwrap().set_len(0).unwrap();
    } else {
        fs::rename(log, numbered(1)).unwrap();
        append(log, "");
    }
    let then = SystemTime::now() - Duration::from_secs(10_000 - turn);
    File::options().append(true).open(numbered(1)).unwrap().set_modified(then).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_line_is_read_once_whatever_becomes_of_the_file(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("auth.log");
        append(&log, "first\n");
        let (mut written, mut read, mut half) = (vec!["first".to_owned()], Vec::new(), None::<String>);
        let mut tail = Tail::new(log.clone());
        let mut position: Option<Position> = None;
        let look = |tail: &mut Tail, position: &mut Option<Position>, read: &mut Vec<String>| {
            for _ in 0..100 {
                let looked = tail.read(position.as_ref()).unwrap();
                let idle = !looked.more && Some(&looked.position) == position.as_ref();
                assert!(looked.refused.is_empty(), "{:?}", looked.refused);
                read.extend(looked.lines);
                *position = Some(looked.position);
                if idle {
                    return;
                }
            }
            panic!("it never comes to an end");
        };
        look(&mut tail, &mut position, &mut read);
        let mut number = 0;
        for (turn, step) in (1..).zip(steps) {
            match step {
                Step::Lines(count) => for _ in 0..count {
                    number += 1;
                    let line = format!("{}line {number} é", half.take().unwrap_or_default());
                    append(&log, &format!("{}\n", line.rsplit("half ").next().unwrap()));
                    written.push(line);
                },
                // The beginning of a line; the rest comes with the next one.
                Step::Half => if half.is_none() {
                    number += 1;
                    half = Some(format!("{number} half "));
                    append(&log, &format!("{number} half "));
                },
                // What copies a line's beginning only tears it apart; no writer is that slow.
                Step::Rotate | Step::Copy if half.is_some() => {}
                Step::Rotate => rotated(&log, false, turn),
                // An empty file has no beginning to be known by.
                Step::Copy if fs::metadata(&log).unwrap().len() == 0 => {}
                Step::Copy => rotated(&log, true, turn),
                Step::Look => look(&mut tail, &mut position, &mut read),
                Step::Restart => {
                    look(&mut tail, &mut position, &mut read);
                    let kept = serde_json::to_string(&position).unwrap();
                    position = serde_json::from_str(&kept).unwrap();
                    tail = Tail::new(log.clone());
                }
            }
        }
        if let Some(half) = half.take() {
            append(&log, "end\n");
            written.push(format!("{half}end"));
        }
        append(&log, "last\n");
        written.push("last".to_owned());
        look(&mut tail, &mut position, &mut read);
        prop_assert_eq!(read, written);
    }
}

#[test]
fn what_is_gone_and_what_is_too_long_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("auth.log");
    append(&log, "one\n");
    let read = Tail::new(log.clone()).read(None).unwrap();
    assert_eq!(read.lines, ["one"]);
    append(&log, "two\n");
    // Rotated and packed while nobody followed.
    fs::rename(&log, folder.path().join("auth.log.1.gz")).unwrap();
    append(&log, "three\n");
    let mut tail = Tail::new(log.clone());
    let read = tail.read(Some(&read.position)).unwrap();
    assert_eq!((read.lines, read.refused), (vec!["three".to_owned()], vec!["rotated_away"]));
    append(&log, &format!("{}\nfour\n", "x".repeat(3 << 20)));
    let mut since = read.position;
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let read = tail.read(Some(&since)).unwrap();
        lines.extend(read.lines);
        refused.extend(read.refused);
        since = read.position;
    }
    assert_eq!(lines, ["four"]);
    assert!(!refused.is_empty() && refused.iter().all(|reason| *reason == "line_too_long"), "{refused:?}");
    let read = tail.read(Some(&since)).unwrap();
    assert!(!read.gone);
    // The beginning of a line in it changes nothing: nobody will end it.
    append(&log, "half");
    fs::remove_file(&log).unwrap();
    assert!(tail.read(Some(&read.position)).unwrap().gone);
    assert!(Tail::new(log).read(Some(&since)).is_err());
}

#[tokio::test]
async fn a_log_that_is_taken_away_is_told_and_one_that_is_rotated_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("auth.log");
    append(&log, "Nov 27 16:05:01 vpn-1 sshd[1]: Invalid user c.moreau from 198.51.100.7 port 5\n");
    let keys = format!("format = 'sshd'\npath = '{}'", log.display()).parse().unwrap();
    let section = Section { name: "ssh".to_owned(), keys, folder: folder.path().to_owned() };
    let sensor = Box::new(Log::read(&section).unwrap().may_be_away_for(Duration::from_secs(5)));
    let (recorder, reporter) = Recorder::new();
    let stop = tokio_util::sync::CancellationToken::new();
    let _running = sensor.start(reporter, stop.clone()).await.unwrap();
    recorder.wait_for(1).await;
    let unable = || *recorder.unable.lock().unwrap();
    let said = async |wanted: Option<&str>| {
        let until = Instant::now() + Duration::from_secs(15);
        while unable() != wanted {
            assert!(Instant::now() < until, "{:?}", unable());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    rotated(&log, false, 1);
    append(&log, "Nov 27 16:05:02 vpn-1 sshd[1]: Invalid user d.moreau from 198.51.100.7 port 5\n");
    recorder.wait_for(2).await;
    fs::remove_file(&log).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(unable(), None, "it may be on its way");
    said(Some("the_log_is_gone")).await;
    append(&log, "Nov 27 16:05:03 vpn-1 sshd[1]: Invalid user e.moreau from 198.51.100.7 port 5\n");
    recorder.wait_for(3).await;
    said(None).await;
    stop.cancel();
}

#[tokio::test]
async fn the_sensor_goes_on_where_it_was_and_takes_no_line_twice() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("auth.log");
    append(&log, "Nov 27 16:05:01 vpn-1 sshd[1]: Invalid user c.moreau from 198.51.100.7 port 5\n");
    let keys = format!("format = 'sshd'\npath = '{}'\ntime_zone = 'Europe/Paris'", log.display());
    let (recorder, _) = Recorder::new();
    let watching = Watching::start_with(recorder.clone(), "log", &keys).await;
    let touches = recorder.wait_for(1).await;
    assert_eq!(presented(&touches[0]), [("username".to_owned(), "c.moreau".to_owned())]);
    assert_eq!(
        (touches[0].service.as_str(), touches[0].source_ip),
        ("sshd vpn-1", Some("198.51.100.7".parse().unwrap()))
    );
    assert!(touches[0].at.to_string().ends_with("-11-27T15:05:01Z"), "{}", touches[0].at);
    assert!(touches[0].reporter.starts_with("file:") && touches[0].evidence.starts_with(b"Nov 27"));
    // Nothing is durable for a while: it waits.
    recorder.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    append(&log, "2026-11-27T16:06:00+01:00 vpn-1 sshd[2]: Failed password for cmoreau from 2001:db8::7 port 5 ssh2\n");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    recorder.failing.store(false, std::sync::atomic::Ordering::SeqCst);
    let touches = recorder.wait_for(2).await;
    assert_eq!(touches[1].at.to_string(), "2026-11-27T15:06:00Z");
    watching.stop.cancel();
    watching.running.task.abort();
    drop(watching);
    rotated(&log, false, 1);
    append(
        &log,
        "2026-11-27T16:07:00+01:00 vpn-1 sshd[3]: Accepted publickey for adm from 192.0.2.9 port 5 ssh2: ED25519 x\n",
    );
    let watching = Watching::start_with(recorder.clone(), "log", &keys).await;
    recorder.wait_for(3).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(recorder.touches().len(), 3, "no line twice");
    drop(watching);
}

/// A site that follows `auth.log`, with canaries that have user names.
async fn followed(path: &str) -> (Inbox, Site, Vec<String>) {
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    let section = format!(
        "[[sensors]]\nname = \"ssh\"\nkind = \"log\"\nformat = \"sshd\"\npath = \"{path}\"\n[[sinks]]\nname = \"siem\""
    );
    site.configure(&configuration(&inbox.address).replacen("[[sinks]]\nname = \"siem\"", &section, 1));
    site.init().await;
    site.run("plant --count 12").await.ends(0);
    let names = site.canaries("payroll").await.iter().map(|canary| marker(canary, "username")).collect();
    (inbox, site, names)
}

/// How often each source was seen, over all incidents.
async fn seen(site: &Site) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let list = site.run("incidents list --json").await.json();
    for incident in list["items"].as_array().unwrap() {
        let shown =
            site.run(&format!("incidents show {} --json", incident["id"].as_str().unwrap())).await.ends(0).json();
        for sighting in shown["items"].as_array().unwrap() {
            assert_eq!((&sighting["sensor"], &sighting["class"]), (&"ssh".into(), &"login".into()));
            *seen.entry(sighting["source_ip"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    seen
}

async fn wait_for(site: &Site, count: usize) -> BTreeMap<String, usize> {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let found = seen(site).await;
        if found.values().sum::<usize>() >= count {
            return found;
        }
        assert!(std::time::Instant::now() < until, "{count} sightings are expected: {found:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_sees_each_login_once() {
    let (_inbox, site, names) = followed("auth.log").await;
    let log = site.path("auth.log");
    append(&log, "");
    let kills = if std::env::var_os("TELLTALE_LONG").is_some() { 40 } else { 5 };
    let mut written = 0;
    for turn in 1..=kills {
        let serving = site.serve().await;
        for part in 0..40_u64 {
            let name = &names[written % names.len()];
            let mut lines = String::new();
            for stranger in 0..5 {
                lines += &format!("Invalid user stranger{stranger} from 203.0.113.9 port {part}\r\n");
            }
            written += 1;
            lines += &format!("Invalid user {name} from 10.0.{}.{} port 5\r\n", written / 250, written % 250 + 1);
            append(&log, &lines);
            if part == 20 {
                rotated(&log, false, turn);
            }
            tokio::time::sleep(Duration::from_millis(part * turn % 40)).await;
        }
        serving.kill().await;
    }
    let serving = site.serve().await;
    serving.settled().await;
    let found = wait_for(&site, written).await;
    assert_eq!(found.len(), written, "nothing is missed");
    assert!(found.values().all(|times| *times == 1), "nothing is told twice: {found:?}");
    let metrics =
        crate::support::serving::client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("stranger0") && !metrics.contains("rotated_away"), "{metrics}");
}

fn peer(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run (tests/peers/sshd.sh)"))
}

/// A login at the real daemon, which refuses it.
async fn log_in(name: &str) {
    let mut command = Command::new(peer("TELLTALE_TEST_SSH"));
    command.args(["-F", "/dev/null", "-p", &peer("TELLTALE_TEST_SSHD_PORT"), "-l", name]);
    for option in [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "PubkeyAuthentication=no",
        "NumberOfPasswordPrompts=1",
    ] {
        command.args(["-o", option]);
    }
    command.args(["127.0.0.1", "true"]).env("SSH_ASKPASS", peer("TELLTALE_TEST_SSH_ASKPASS"));
    command.env("SSH_ASKPASS_REQUIRE", "force").stdin(std::process::Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("Permission denied"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_sshd_shows_who_tried() {
    let log = peer("TELLTALE_TEST_SSHD_LOG");
    let (_inbox, site, names) = followed(&log).await;
    let serving = site.serve().await;
    serving.settled().await;
    log_in("nobody.known").await;
    log_in(&names[0]).await;
    assert_eq!(wait_for(&site, 1).await, BTreeMap::from([("127.0.0.1".to_owned(), 1)]));
    // Copied and emptied, as logrotate's `copytruncate` does, while the service is down.
    serving.terminate().await;
    log_in(&names[1]).await;
    fs::copy(&log, format!("{log}.1")).unwrap();
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    log_in("nobody.else").await;
    log_in(&names[2]).await;
    let serving = site.serve().await;
    serving.settled().await;
    assert_eq!(wait_for(&site, 3).await, BTreeMap::from([("127.0.0.1".to_owned(), 3)]));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(seen(&site).await, BTreeMap::from([("127.0.0.1".to_owned(), 3)]), "each of them once");
}
