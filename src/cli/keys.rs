//! `telltale keys`, and the master key's file.

use crate::{
    app::master,
    cli::{client::Client, outcome::Outcome, terminal::Terminal},
    config::Config,
    journal::master::MasterKey,
};
use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Wraps the keyring under a new master key. The new key is durable before the keyring needs it, and the old one
/// stays beside it for the backups made before.
pub async fn rotate(config: &Config, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let Some(file) = &config.master_key_file else {
        bail!(
            "the master key comes from the environment or a command: put the new key there yourself, in a file named by [keys] for this once"
        );
    };
    // What a rotation left that was stopped half way may be the key that is needed: it is put in place first.
    master::current(config)?;
    let next = master::beside(file);
    let key = MasterKey::generate();
    write(&next, &key).with_context(|| format!("cannot write {}", next.display()))?;
    client.tell(Method::POST, "/api/v1/keys/rotate", key.to_text().reveal().to_owned()).await?;
    let former = master::put(&next, file)?;
    terminal.answer(&json!({ "rotated": true, "former": former }), || {
        let mut lines = vec![format!("The keyring is wrapped under the new key in {}.", file.display())];
        lines.extend(former.as_ref().map(|former| {
            format!(
                "Backups made before still need the old key: it is in {}. Delete it with the last of them.",
                former.display()
            )
        }));
        lines.join("\n")
    });
    Ok(Outcome::Done)
}

/// Writes a key that is its owner's alone, and syncs it.
pub fn write(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(key.to_text().reveal().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    master::sync_folder(path)
}
