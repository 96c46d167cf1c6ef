//! `telltale init`

use crate::{
    api::tokens,
    app,
    cli::{keys, outcome::Outcome, terminal::Terminal},
    config::load::load,
    domain::record::Role,
    journal::master::MasterKey,
};
use anyhow::{Context, bail};
use serde_json::json;
use std::{fs, path::Path};

/// What `init` writes where there is no configuration: every option, its default, a sentence each.
const EXAMPLE: &str = include_str!("../../telltale.example.toml");

/// Makes the configuration, the master key, the data folder and the first administrator's token.
pub async fn init(path: &Path, terminal: Terminal) -> anyhow::Result<Outcome> {
    let fresh = !path.exists();
    if fresh {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, EXAMPLE).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut config = load(path, std::env::vars())?;
    if config.data.dir.join("keyring").exists() {
        bail!("{} is a data folder already: nothing was changed", config.data.dir.display());
    }
    if config.master_key.is_none() {
        let Some(file) = &config.master_key_file else {
            bail!("the source that [keys] names gave no master key");
        };
        let key = MasterKey::generate();
        keys::write(file, &key).with_context(|| format!("cannot write the master key {}", file.display()))?;
        config.master_key = Some(key.to_text());
    }
    let master = config.master_key.as_ref().context("a master key was read or made")?;
    app::make_data_folder(&config.data.dir, &MasterKey::read(master)?)?;
    // The configured parts may need servers that do not stand yet; the first token needs none of them.
    config.stores.clear();
    config.sensors.clear();
    config.sinks.clear();
    let app = app::build(&config, app::wall(), false)?;
    let (_, token) = tokens::issue(&app.context, None, Role::Admin, "telltale").await?;
    app.context.journal.close().await;
    terminal.answer(&json!({ "admin_token": token }), || {
        let mut lines = Vec::new();
        if fresh {
            lines.push(format!("✓ {}: every option, commented; name your stores there", path.display()));
        }
        if let Some(file) = &config.master_key_file {
            lines.push(format!("✓ {}: the master key; keep a copy apart, and never with the backups", file.display()));
        }
        lines.push(format!("✓ {}: the data folder", config.data.dir.display()));
        lines.push(format!("\nThe first administrator's API token, shown this once:\n  {token}\n"));
        lines.push("Next: `telltale check`, then `telltale plan`, then `telltale plant`.".to_owned());
        lines.join("\n")
    });
    Ok(Outcome::Done)
}
