//! `telltale report`, `evidence export`, `verify BUNDLE`, `erase`

use crate::{
    api::case::Erase,
    case::check,
    cli::{
        args::{Language, ReportFormat},
        client::{Client, escaped},
        outcome::Outcome,
        terminal::{Terminal, plain},
    },
    flow::erase::Erased,
    journal::checkpoint::Vkey,
};
use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::json;
use std::{
    fs,
    io::{BufRead, IsTerminal, Write},
    path::Path,
};

/// Writes the report to a file, or to standard output.
pub async fn report(
    incident: &str,
    output: Option<&Path>,
    format: Option<ReportFormat>,
    language: Language,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let by_name = output.and_then(Path::extension).and_then(|ending| ending.to_str()).and_then(|ending| match ending {
        "pdf" => Some(ReportFormat::Pdf),
        "json" => Some(ReportFormat::Json),
        _ => None,
    });
    let usual = if terminal.json && output.is_none() { ReportFormat::Json } else { ReportFormat::Html };
    let format = format.or(by_name).unwrap_or(usual);
    if output.is_none() && terminal.json && format != ReportFormat::Json {
        bail!("with --json only the report's JSON goes to standard output: give the file with -o FILE");
    }
    if output.is_none() && format == ReportFormat::Pdf && std::io::stdout().is_terminal() {
        bail!("a PDF is nothing for a terminal: give the file with -o FILE");
    }
    let (format, language) = (format.name(), language.name());
    let path = format!("/api/v1/incidents/{}/report?format={format}&language={language}", escaped(incident));
    let bytes = client.bytes(Method::GET, &path).await?;
    match output {
        None => terminal.bytes(&bytes),
        Some(file) => {
            write(file, &bytes)?;
            terminal.answer(&json!({ "file": file, "format": format, "bytes": bytes.len() }), || {
                format!("{}: {} bytes of {format}.", file.display(), bytes.len())
            });
        }
    }
    Ok(Outcome::Done)
}

/// Writes Sigma rules to a file, or to standard output.
pub async fn sigma(
    output: Option<&Path>,
    store: Option<&str>,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    if output.is_none() && terminal.json {
        bail!("Sigma rules are YAML: with --json give the file with -o FILE");
    }
    let of = store.map(|store| format!("?store={}", escaped(store))).unwrap_or_default();
    let bytes = client.bytes(Method::GET, &format!("/api/v1/canaries/sigma{of}")).await?;
    let rules = bytes.split(|byte| *byte == b'\n').filter(|line| *line == b"---").count();
    match output {
        None => terminal.bytes(&bytes),
        Some(file) => {
            write(file, &bytes)?;
            terminal.answer(&json!({ "file": file, "rules": rules }), || {
                format!(
                    "{}: {rules} rules. Whoever reads them knows the canaries: the look is on the record.",
                    file.display()
                )
            });
        }
    }
    Ok(if rules == 0 { Outcome::NothingFound } else { Outcome::Done })
}

/// Unpacks the case file into a new folder.
pub async fn export(
    incident: &str,
    folder: &Path,
    reveal: bool,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.symlink_metadata().is_ok() && !is_empty(folder) {
        bail!("{} is there already, and an export overwrites nothing: name a new folder", folder.display());
    }
    let path = format!("/api/v1/incidents/{}/export?reveal={reveal}", escaped(incident));
    let archive = client.bytes(Method::POST, &path).await?;
    let mut files = 0;
    for entry in tar::Archive::new(archive.as_ref()).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        if !name.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
            bail!("the service answered a file that does not belong into a bundle: {}", name.display());
        }
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes)?;
        let target = folder.join(&name);
        let parent = target.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
        write(&target, &bytes)?;
        files += 1;
    }
    terminal.answer(&json!({ "folder": folder, "files": files, "incident": incident, "revealed": reveal }), || {
        format!("{}: {files} files. VERIFY.md in it says how anybody can check them.", folder.display())
    });
    Ok(Outcome::Done)
}

/// A report holds source addresses: it is its owner's alone.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Checks a bundle: nothing but its files and public keys is needed.
pub fn verify(bundle: &Path, keys: &[String], terminal: Terminal) -> anyhow::Result<Outcome> {
    let trusted = keys.iter().map(|key| read_key(key)).collect::<anyhow::Result<Vec<Vkey>>>()?;
    let checked = check::check(bundle, &trusted)?;
    terminal.answer(&checked, || {
        let mut lines = vec![format!(
            "{}: {} files, {} journal entries proven ({} opened) in a journal of {}; {} faults",
            checked.incident.as_deref().map_or_else(|| "no signed incident".to_owned(), plain),
            checked.files,
            checked.proven,
            checked.opened,
            checked.vouched.map_or_else(|| "unknown size".to_owned(), |size| size.to_string()),
            checked.faults.len()
        )];
        lines.extend(checked.stamped_at.map(|at| {
            format!("The checkpoint was stamped at {at} by an authority whose root comes with the bundle (data/keys/timestamp-roots.pem).")
        }));
        lines.extend(checked.cosigned_at.map(|at| {
            format!("The checkpoint was cosigned at {at} by a witness whose key comes with the bundle (data/keys/witness.vkey).")
        }));
        lines.extend(checked.faults.iter().map(|fault| format!("✗ {}", plain(fault))));
        match (&checked.vkey, checked.key_is_trusted) {
            (Some(vkey), None) => lines.push(format!(
                "Signed by {}\nCompare this key with what the organisation told you by another way, or give that one with --key.",
                plain(vkey)
            )),
            (Some(vkey), Some(true)) => lines.push(format!("Signed by {}, as you gave it.", plain(vkey))),
            _ => {}
        }
        lines.join("\n")
    });
    Ok(if checked.faults.is_empty() { Outcome::Done } else { Outcome::Inconclusive })
}

/// A key, or the file that holds it.
fn read_key(text: &str) -> anyhow::Result<Vkey> {
    let held = if text.contains('+') {
        text.to_owned()
    } else {
        fs::read_to_string(text).with_context(|| format!("cannot read the key file {text}"))?
    };
    held.trim().parse().map_err(|_| {
        anyhow::anyhow!("--key {text}: not a public key: name+id+key is expected, or a file that holds it")
    })
}

/// Destroys a key, once that is confirmed.
pub async fn erase(of: String, yes: bool, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    if !yes {
        let warning = format!(
            "This destroys the key of {}: what was sealed under it can never be read again, not by a court either.",
            plain(&of)
        );
        if !std::io::stdin().is_terminal() {
            bail!("{warning} Say --yes if that is meant");
        }
        terminal.note(&format!("{warning} Type \"yes\" to go on."));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            bail!("nothing was erased");
        }
    }
    let erased: Erased = client.call(Method::POST, "/api/v1/evidence/erase", &Erase { of }).await?;
    terminal.answer(&erased, || {
        let remains: Vec<String> = erased.remains.iter().map(|what| format!("  • {what}")).collect();
        format!(
            "The key of {} is destroyed; {} journal entries are closed for ever. Still:\n{}",
            erased.erased,
            erased.entries,
            remains.join("\n")
        )
    });
    Ok(Outcome::Done)
}
