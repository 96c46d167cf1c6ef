//! What a real `telltale serve` needs of memory on a data folder that holds a million incidents, each opened, told, delivered and
//! closed. `cargo bench --bench incidents` makes the folder by the journal itself, starts the program on it, asks it, and prints what
//! the system says of its memory. A number after `--` makes other than a million, and
//! `redb` puts the ledger there.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use jiff::SignedDuration;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use telltale::{
    app,
    config::load::load,
    domain::{
        alert::Alert,
        incident::{Incident, State},
        record::{AttemptOutcome, Record},
    },
    journal::master::MasterKey,
    sinks::shape::sample::samples,
};

/// Incidents that one append holds, and how many stay open.
const TOGETHER: usize = 500;
const OPEN: usize = 1000;

/// Founds a house that has seen so many incidents.
async fn found(folder: &Path, count: usize, engine: &str) -> anyhow::Result<()> {
    let file = folder.join("telltale.toml");
    let text = "allow_literal_secrets = true\n[organisation]\nname = 'Bench'\n[api]\nlisten = '127.0.0.1:0'\n[heartbeat]\ndaily = false\n\
         [[sinks]]\nname = 'soc'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\nsecret = 'whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'\n\
         allow_private = ['127.0.0.0/8']\n";
    fs::write(&file, format!("{text}[ledger]\nengine = '{engine}'\n"))?;
    let config = load(&file, std::iter::empty())?;
    let master = MasterKey::generate();
    fs::write(folder.join("master.key"), master.to_text().reveal())?;
    app::make_data_folder(&config.data.dir, &master)?;
    let context = app::build(&config, app::wall(), false)?.context;
    context.settle()?;
    let [sample, _] = samples();
    let began = context.now().checked_sub(SignedDuration::from_hours(24 * 365))?;
    let mut made = 0;
    while made < count {
        let mut records = Vec::with_capacity(3 * TOGETHER);
        let mut seq = context.journal.head() + 1;
        for number in made..count.min(made + TOGETHER) {
            let at = began.checked_add(SignedDuration::from_secs(number as i64))?;
            let known = sample.incident.clone().unwrap_or_else(|| unreachable!("the sample is of an incident"));
            let incident = Incident { id: format!("i-{seq}"), opened_at: at, updated_at: at, drill: false, ..known };
            let alert = Alert { at, incident: Some(incident.clone()), drill: false, ..sample.clone() };
            let moved = |incident: Incident, alert, sinks: &[&str]| Record::IncidentMoved {
                incident,
                judged: 0,
                joined: Vec::new(),
                alert,
                sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(),
                by: "telltale".to_owned(),
            };
            records.push(moved(incident.clone(), Some(alert), &["soc"]));
            records.push(Record::Attempted {
                alert: format!("a-{seq}"),
                sink: "soc".to_owned(),
                attempt: 1,
                outcome: AttemptOutcome::Delivered,
                status: Some(200),
                response: "ok".to_owned(),
                request: None,
            });
            seq += 2;
            if number + OPEN < count {
                records.push(moved(Incident { state: State::Closed, ..incident }, None, &[]));
                seq += 1;
            }
        }
        context.append(&records).await?;
        context.settle()?;
        made += TOGETHER;
    }
    context.close().await;
    Ok(())
}

/// A program that ends with its bench.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program, and waits until it says that it is ready.
fn serve(folder: &Path) -> anyhow::Result<Serving> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    command.arg("serve").current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut serving = Serving(command.spawn()?);
    let said = serving.0.stderr.take().unwrap_or_else(|| unreachable!("it is piped"));
    let mut lines = BufReader::new(said).lines();
    for line in lines.by_ref() {
        if line? == "ready" {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(serving);
        }
    }
    anyhow::bail!("serve ended before it was ready")
}

/// What the system says of its memory, in MB of 10^6 bytes.
fn memory(serving: &Serving) -> anyhow::Result<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", serving.0.id()))?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(f64::NAN);
        format!("{name} {:.0} MB", kib * 1024.0 / 1e6)
    };
    Ok(["VmRSS", "VmHWM", "RssAnon", "RssFile"].map(of).join(", "))
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let count: usize = asked.unwrap_or(1_000_000);
    let engine = if std::env::args().any(|argument| argument == "redb") { "redb" } else { "sled" };
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(found(folder.path(), count, engine))?;
    let size = |name: &str| {
        let output = Command::new("du").args(["-sm", name]).current_dir(folder.path().join("data")).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap_or("?").to_owned())
    };
    println!(
        "{count} incidents in {engine} made in {:.0?}: journal {} MiB, ledger {} MiB",
        began.elapsed(),
        size("journal")?,
        size("ledger")?
    );
    let began = Instant::now();
    let serving = serve(folder.path())?;
    println!("ready after {:.1?}: {}", began.elapsed(), memory(&serving)?);
    std::thread::sleep(Duration::from_secs(20));
    println!("idle: {}", memory(&serving)?);
    let began = Instant::now();
    let listed = Command::new(env!("CARGO_BIN_EXE_telltale"))
        .args(["--json", "incidents", "list"])
        .current_dir(folder.path())
        .output()?;
    anyhow::ensure!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    println!("incidents listed in {:.1?} ({} bytes): {}", began.elapsed(), listed.stdout.len(), memory(&serving)?);
    Ok(())
}
