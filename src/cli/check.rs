//! `telltale check`

use crate::{
    cli::{
        client::Client,
        outcome::Outcome,
        terminal::{Terminal, plain},
    },
    config::Config,
    flow::check::{Check, Checked},
};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// Reaches everything that is configured, and says what is missing.
pub async fn check(config: &Config, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let mut check: Check = client.work("/api/v1/check", &json!({})).await?;
    check.items.insert(0, key_file(config));
    check.ok = check.items.iter().all(|item| item.ok);
    let missing = check.items.iter().filter(|item| !item.ok).count();
    terminal.answer(&check, || {
        let mut lines: Vec<String> = check
            .items
            .iter()
            .map(|item| format!("{} {}: {}", if item.ok { "✓" } else { "✗" }, item.what, plain(&item.detail)))
            .collect();
        if !check.dns.is_empty() {
            lines.push("\nDNS records that mail and links need:".to_owned());
            lines.extend(check.dns.iter().map(|record| format!("  {record}")));
        }
        lines.join("\n")
    });
    if missing == 0 {
        return Ok(Outcome::Done);
    }
    anyhow::bail!("{missing} of {} checks failed: see above", check.items.len())
}

/// The master key lies outside the data folder, readable by its owner alone.
fn key_file(config: &Config) -> Checked {
    let what = "master key".to_owned();
    let Some(file) = &config.master_key_file else {
        return Checked { what, ok: true, detail: "comes from the environment or a command".to_owned() };
    };
    let shown = file.display();
    let wrong = |detail: String| Checked { what: what.clone(), ok: false, detail };
    match std::fs::metadata(file) {
        Err(error) => wrong(format!("{shown}: {error}")),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            wrong(format!("{shown} can be read by others: chmod 600 it"))
        }
        Ok(_) if file.starts_with(&config.data.dir) => wrong(format!(
            "{shown} lies in the data folder, and so beside what it protects: move it, and name it in [keys]"
        )),
        Ok(_) => Checked { what, ok: true, detail: format!("{shown} is its owner's alone") },
    }
}
