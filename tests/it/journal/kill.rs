//! kill -9 at random moments, under load: nothing acknowledged is lost, nothing is there twice.

use crate::journal::records::{ORIGIN, acted};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use telltale::{
    domain::{record::Record, secret::Secret},
    journal::{keyring::Keyring, log::Journal, master::MasterKey},
    ledger::state::Ledger,
};
use tokio_util::sync::CancellationToken;

const FOLDER: &str = "TELLTALE_TEST_KILL_FOLDER";

fn opened(data: &Path) -> Journal {
    let text = std::fs::read_to_string(data.join("../master.key")).unwrap();
    let master = MasterKey::read(&Secret::new(text)).unwrap();
    Journal::open(data, Arc::new(Keyring::open(data, &master).unwrap()), ORIGIN).unwrap()
}

/// The child: appends and counts from many tasks until it is killed, and says on standard error what was acknowledged.
/// Run as a test of its own it does so for a moment, and looks whether anything came of it.
#[test]
fn child_under_load() {
    match std::env::var_os(FOLDER) {
        Some(data) => load(Path::new(&data), Duration::MAX),
        None => {
            let folder = tempfile::tempdir().unwrap();
            let data = new_data(folder.path());
            load(&data, Duration::from_millis(200));
            assert!(opened(&data).head() > 12, "every task appended");
        }
    }
}

fn new_data(folder: &Path) -> PathBuf {
    let (data, master) = (folder.join("data"), MasterKey::generate());
    std::fs::write(folder.join("master.key"), master.to_text().reveal()).unwrap();
    Keyring::create(&data, &master).unwrap();
    data
}

fn load(data: &Path, time: Duration) {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let journal = opened(data);
        let stop = CancellationToken::new();
        let following = Ledger::open(data, &journal).unwrap().follow(journal.clone(), stop.clone());
        let mut err = std::io::stderr();
        writeln!(err, "ready").unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..16u32 {
            let journal = journal.clone();
            tasks.spawn(async move {
                for number in 0u64.. {
                    if started.elapsed() >= time {
                        return;
                    }
                    let line = if task % 4 == 0 {
                        journal.count("portal", None, 600).await.unwrap();
                        "counted\n".to_owned()
                    } else {
                        let id = format!("{}-{task}-{number}", std::process::id());
                        let seq = journal.append(&acted(id.clone())).await.unwrap();
                        format!("ack {seq} {id}\n")
                    };
                    std::io::stderr().write_all(line.as_bytes()).unwrap();
                }
            });
        }
        tasks.join_all().await;
        stop.cancel();
        following.await.unwrap();
        journal.close().await;
    });
}

/// Reliability test T9; 200 kills with TELLTALE_LONG.
#[test]
fn killed_at_random_moments_it_loses_nothing_acknowledged() {
    let kills = if std::env::var_os("TELLTALE_LONG").is_some() { 200 } else { 10 };
    let folder = tempfile::tempdir().unwrap();
    let data = new_data(folder.path());
    let mut acknowledged: HashMap<u64, String> = HashMap::new();
    let mut counted = 0u64;
    for kill in 0..kills {
        let started = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["journal::kill::child_under_load", "--exact", "--nocapture"])
            .env(FOLDER, &data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let err = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            // The kill may cut the last line: only whole ones were acknowledged to anybody.
            let mut lines = Vec::new();
            let mut err = BufReader::new(err);
            let mut line = String::new();
            let mut ready = None;
            while err.read_line(&mut line).is_ok_and(|read| read > 0) {
                if line.ends_with('\n') {
                    if line.trim() == "ready" {
                        ready = Some(started.elapsed());
                    }
                    lines.push(line.trim().to_owned());
                }
                line.clear();
            }
            (ready, lines)
        });
        std::thread::sleep(Duration::from_millis(rand::random_range(20..600)));
        child.kill().unwrap();
        child.wait().unwrap();
        let (ready, lines) = reader.join().unwrap();
        if let Some(ready) = ready {
            assert!(ready < Duration::from_secs(20), "kill {kill}: acknowledging again only after {ready:?}");
        }
        for line in lines {
            assert!(!line.contains("panicked"), "kill {kill}: {line}");
            if line == "counted" {
                counted += 1;
            } else if let Some((seq, id)) = line.strip_prefix("ack ").and_then(|rest| rest.split_once(' ')) {
                acknowledged.insert(seq.parse().unwrap(), id.to_owned());
            }
        }
    }
    assert!(acknowledged.len() > 20, "only {} appends were acknowledged", acknowledged.len());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let journal = opened(&data);
        journal.checkpoint().await.unwrap();
        let (mut found, mut folded) = (HashMap::new(), 0);
        for entry in journal.read(1) {
            let entry = entry.unwrap();
            match entry.record.unwrap() {
                Record::Acted { detail, .. } => {
                    assert!(found.insert(detail, entry.seq).is_none(), "entry {} is there twice", entry.seq);
                }
                Record::Strangers { tallies, .. } => folded += tallies.iter().map(|tally| tally.count).sum::<u64>(),
                _ => {}
            }
        }
        for (seq, id) in &acknowledged {
            assert_eq!(found.get(id), Some(seq), "{id} was acknowledged as entry {seq}");
        }
        // Up to four touches of each life may be durable and unsaid.
        assert!((counted..=counted + 4 * kills).contains(&folded), "{folded} folded, {counted} acknowledged");
        let ledger = Ledger::open(&data, &journal).unwrap();
        ledger.catch_up(&journal).unwrap();
        let digest = ledger.digest().unwrap();
        ledger.rebuild(&journal).unwrap();
        assert_eq!(ledger.digest().unwrap(), digest, "the ledger that was carried on is the one that is rebuilt");
    });
}
