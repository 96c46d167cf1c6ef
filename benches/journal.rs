//! How fast the journal acknowledges, beside the floor of the same run: a bare loop of write and fdatasync on the same
//! disk. `cargo bench --bench journal`. It asserts nothing; it prints.

use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use std::{
    fs::File,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};
use telltale::{
    domain::{
        record::Record,
        sighting::{Class, Sighting},
    },
    journal::{key_ref::KeyRef, keyring::Keyring, log::Journal, master::MasterKey, verify::verify},
};

const FOR: Duration = Duration::from_secs(5);

fn main() {
    let mut out = std::io::stdout();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let floor = floor(&folder.path().join("floor"));
    let _ = writeln!(out, "floor: {floor:.0} bare write + fdatasync of 900 bytes a second");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let data = folder.path().join("data");
        let master = MasterKey::generate();
        let keyring = Keyring::create(&data, &master).expect("a keyring");
        keyring.ensure(&[KeyRef::Canary(CanaryId([1; 10]))]).expect("a key");
        let journal = Journal::open(&data, Arc::new(keyring), "bench").expect("a journal");
        for tasks in [1, 64, 256] {
            let canary = run(&journal, tasks, false).await;
            let stranger = run(&journal, tasks, true).await;
            for (what, (rate, p50, p99)) in [("canary", canary), ("stranger", stranger)] {
                let _ = writeln!(out, "{tasks:3} tasks, {what:8}: {rate:7.0}/s, p50 {p50:?}, p99 {p99:?}");
            }
        }
        let (vkey, head) = (journal.vkey().clone(), journal.head());
        let began = Instant::now();
        let read = journal.read(1).filter(|entry| entry.is_ok()).count();
        let _ = writeln!(out, "read back {read} entries: {:?}", began.elapsed());
        journal.close().await;
        drop(journal);
        let began = Instant::now();
        let report = verify(&data, &vkey);
        let _ =
            writeln!(out, "verified {} entries, sound {}: {:?}", report.entries, report.is_sound(), began.elapsed());
        let keyring = Arc::new(Keyring::open(&data, &master).expect("the keyring"));
        let began = Instant::now();
        let journal = Journal::open(&data, keyring, "bench").expect("the journal");
        let _ = writeln!(out, "opened {} entries (had {head}): {:?}", journal.head(), began.elapsed());
    });
}

fn floor(path: &std::path::Path) -> f64 {
    let mut file = File::create(path).expect("a file");
    let (began, mut count) = (Instant::now(), 0u32);
    while began.elapsed() < Duration::from_secs(2) {
        file.write_all(&[7; 900]).and_then(|()| file.sync_data()).expect("a write");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

async fn run(journal: &Journal, tasks: usize, strangers: bool) -> (f64, Duration, Duration) {
    let began = Instant::now();
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let journal = journal.clone();
        set.spawn(async move {
            let (mut times, record) = (Vec::new(), sighted());
            while began.elapsed() < FOR {
                let start = Instant::now();
                if strangers {
                    let source = Some([10, 0, 0, times.len() as u8].into());
                    journal.count("portal", source, 960).await.expect("durable");
                } else {
                    journal.append(&record).await.expect("durable");
                }
                times.push(start.elapsed());
            }
            times
        });
    }
    let mut times: Vec<Duration> = set.join_all().await.into_iter().flatten().collect();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    (times.len() as f64 / began.elapsed().as_secs_f64(), at(0.5), at(0.99))
}

fn sighted() -> Record {
    let sighting = Sighting {
        id: 0,
        at: Timestamp::now(),
        claimed_at: None,
        copied: None,
        row: None,
        also: Vec::new(),
        values: Vec::new(),
        drift: None,
        mail: None,
        received_at: Timestamp::now(),
        sensor: "portal".to_owned(),
        reporter: "192.0.2.7".to_owned(),
        source_ip: Some([192, 0, 2, 7].into()),
        service: "portal".to_owned(),
        canary: CanaryId([1; 10]),
        marker_kind: MarkerKind::Username,
        class: Class::Login,
        drill: false,
    };
    Record::Sighted { sighting, evidence: "QUFB".repeat(100) }
}
