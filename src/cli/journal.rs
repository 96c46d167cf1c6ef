//! `telltale backup`, `restore`, `evidence verify`

use crate::{
    app::master,
    cli::{client::Client, outcome::Outcome, terminal::Terminal},
    config::Config,
    domain::reason::reason,
    flow::progress::Step,
    journal::{master::MasterKey, restore},
};
use anyhow::{Context, anyhow, bail};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Writes the backup beside its name first: a file that bears the name is whole. It never overwrites one, and does not
/// lie with what it is to replace.
pub async fn backup(config: &Config, file: &Path, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    if file.symlink_metadata().is_ok() {
        bail!("{} is there already, and a backup overwrites nothing: give it another name", file.display());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| unwritten(folder, &error))?;
    if config.data.dir.canonicalize().is_ok_and(|data| folder.starts_with(data)) {
        bail!("{} lies in the data folder, and would be lost with it: keep backups elsewhere", file.display());
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let response = client.download("/api/v1/backup").await?;
    let mut options = fs::File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut out = options.open(part).map_err(|error| unwritten(part, &error))?;
    let bar = terminal.bar();
    let mut bytes = 0;
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.context("the service hung up in the middle of the backup")?;
        out.write_all(&chunk).map_err(|error| unwritten(part, &error))?;
        bytes += chunk.len() as u64;
        bar.at(&Step { what: "bytes".to_owned(), done: bytes, total: None });
    }
    out.sync_all()?;
    drop(bar);
    fs::rename(part, file)?;
    master::sync_folder(file)?;
    terminal.answer(&json!({ "file": file, "bytes": bytes }), || {
        format!("{}: {bytes} bytes. The master key is not in it: keep that apart.", file.display())
    });
    Ok(Outcome::Done)
}

fn unwritten(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot write {}: {}", path.display(), reason(error))
}

/// Restores into a data folder that does not exist yet, or is empty.
pub fn restore(config: &Config, file: &Path, terminal: Terminal) -> anyhow::Result<Outcome> {
    let Some(master) = &config.master_key else {
        bail!("the master key of the backed-up machine is needed to open its keyring: put it where [keys] says");
    };
    let folder = &config.data.dir;
    let master = MasterKey::read(master)?;
    let manifest = restore::restore(file, folder, &master)?;
    terminal.answer(&json!({ "restored": folder, "entries": manifest.head }), || {
        format!("{} journal entries are back in {}.", manifest.head, folder.display())
    });
    Ok(Outcome::Done)
}

/// Checks every byte of the journal.
pub async fn verify(client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let report: Value = client.call(reqwest::Method::POST, "/api/v1/journal/verify", &json!({})).await?;
    let faults = report["faults"].as_array().map(Vec::len).unwrap_or_default();
    terminal.answer(&report, || {
        let mut lines = vec![format!("{} entries; {faults} faults", report["entries"])];
        for fault in report["faults"].as_array().map(Vec::as_slice).unwrap_or_default() {
            lines.push(format!("✗ {}", fault.as_str().map_or_else(|| fault.to_string(), str::to_owned)));
        }
        lines.join("\n")
    });
    Ok(if faults == 0 { Outcome::Done } else { Outcome::Inconclusive })
}
