//! `telltale check`

use crate::{
    cli::{
        client::Client,
        outcome::Outcome,
        terminal::{Terminal, plain},
    },
    config::Config,
    flow::check::{Check, Checked, State},
};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// Reaches everything that is configured, and says what is missing.
pub async fn check(config: &Config, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let mut check: Check = client.work("/api/v1/check", &json!({})).await?;
    check.items.insert(0, Checked::new("master key", key_file(config)));
    check.ok = check.items.iter().all(|item| item.state == State::Ok);
    terminal.answer(&check, || words(&check));
    let count = |state| check.items.iter().filter(|item| item.state == state).count();
    match (count(State::Error), count(State::Warn)) {
        (0, 0) => Ok(Outcome::Done),
        (0, _) => Ok(Outcome::Inconclusive),
        (failed, _) => anyhow::bail!("{failed} of {} checks failed: see above", check.items.len()),
    }
}

fn words(check: &Check) -> String {
    let line = |item: &Checked| {
        let mark = match item.state {
            State::Ok => "✓ ok   ",
            State::Warn => "! warn ",
            State::Error => "✗ error",
        };
        format!("{mark}  {}: {}", item.what, plain(&item.detail))
    };
    let mut lines: Vec<String> = check.items.iter().map(line).collect();
    let open = check.items.iter().filter(|item| item.state == State::Warn).count();
    if open > 0 {
        lines.push(format!("\n{open} of {} could not be decided from here.", check.items.len()));
    }
    if !check.dns.is_empty() {
        lines.push("\nDNS records that mail and links need:".to_owned());
        lines.extend(check.dns.iter().map(|record| format!("  {record}")));
    }
    lines.join("\n")
}

/// The master key lies outside the data folder, readable by its owner alone.
fn key_file(config: &Config) -> Result<String, String> {
    let Some(file) = &config.master_key_file else {
        return Ok("comes from the environment or a command".to_owned());
    };
    let shown = file.display();
    match std::fs::metadata(file) {
        Err(error) => Err(format!("{shown}: {error}")),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Err(format!("{shown} can be read by others: chmod 600 it"))
        }
        Ok(_) if file.starts_with(&config.data.dir) => Err(format!(
            "{shown} lies in the data folder, and so beside what it protects: move it, and name it in [keys]"
        )),
        Ok(_) => Ok(format!("{shown} is its owner's alone")),
    }
}
