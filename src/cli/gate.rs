//! `telltale gate build`, `check` and `serve`. The last two run on a login endpoint, with a filter and its key alone.

use crate::{
    api::gates::Endpoint,
    app::master,
    cli::{
        client::Client,
        gate_args::GateServe,
        outcome::Outcome,
        own_file::{beside, private},
        terminal::Terminal,
    },
    config::{Config, load::load},
    domain::secret::Secret,
    flow::gates,
    journal::keyring::Keyring,
    sensors::{
        gate::{Verifier, report::Reports},
        listener::config::ListenerConfig,
    },
};
use anyhow::{Context, bail, ensure};
use gate::{Gate, GateError, GateKey};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use webhooks::Guard;
use zeroize::Zeroizing;

/// Names the file that holds a filter's key.
const KEY_FILE: &str = "TELLTALE_GATE_KEY_FILE";
/// Names the file that holds the token under which a verifier reports.
const TOKEN_FILE: &str = "TELLTALE_GATE_TOKEN_FILE";

/// Writes the filter beside its name first, and puts it in place once it is whole and reads well. The key is written once:
/// an endpoint's key does not change, and a file that holds another is not overwritten.
pub async fn build(
    config: &Config,
    file: &Path,
    endpoint: Option<String>,
    key_file: Option<&Path>,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let endpoint = endpoint.or_else(stem).unwrap_or_default();
    ensure!(gate::is_endpoint(&endpoint), "{endpoint:?}: {}: name one by --endpoint", GateError::NotAnEndpoint);
    let key = own_key(config, &endpoint)?;
    if let Some(key_file) = key_file.filter(|key_file| key_file.exists()) {
        let there = GateKey::read(key_file).is_ok_and(|there| *there.to_text() == *key.to_text());
        ensure!(there, "{} is there already and holds another key: name a new file by --key-out", key_file.display());
    }
    let bytes = client.file("/api/v1/gates", &Endpoint { endpoint: endpoint.clone() }).await?;
    let names = Gate::open(&bytes, &key)?.names();
    put(file, &bytes)?;
    if let Some(key_file) = key_file.filter(|key_file| !key_file.exists()) {
        put(key_file, format!("{}\n", *key.to_text()).as_bytes())?;
    }
    let answer =
        json!({ "file": file, "endpoint": endpoint, "names": names, "bytes": bytes.len(), "key_file": key_file });
    terminal.answer(&answer, || {
        let key = match key_file {
            Some(key_file) => format!("Its key is in {}: bring that to {endpoint} by another way.", key_file.display()),
            None => format!("At {endpoint} it needs its key: --key-out writes that."),
        };
        format!("{}: {names} names for {endpoint}, {} bytes. {key}", file.display(), bytes.len())
    });
    Ok(Outcome::Done)
}

/// Tells which of the user names on standard input are canaries', as they stand there.
pub fn check(config: &Path, file: &Path, key_file: Option<&Path>, terminal: Terminal) -> anyhow::Result<Outcome> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let key = match named(key_file, KEY_FILE) {
        Some(key_file) => GateKey::read(&key_file)?,
        None => {
            let endpoint = gate::endpoint(&bytes).with_context(|| file.display().to_string())?;
            let needs =
                || format!("the filter needs its key: name the file that holds it by --key-file or in {KEY_FILE}");
            own_key(&load(config, std::env::vars()).with_context(needs)?, endpoint).with_context(needs)?
        }
    };
    let gate = Gate::open(&bytes, &key).with_context(|| file.display().to_string())?;
    let mut any = false;
    for (number, line) in (1_u64..).zip(std::io::stdin().lock().split(b'\n')) {
        let line = line.context("standard input")?;
        let name = String::from_utf8_lossy(&line);
        let name = name.trim_end_matches('\r');
        if gate.knows(name) {
            any = true;
            terminal.line(&if terminal.json {
                json!({ "line": number, "username": name }).to_string()
            } else {
                name.to_owned()
            });
        }
    }
    Ok(if any { Outcome::Done } else { Outcome::NothingFound })
}

/// Answers proxies until SIGTERM or SIGINT.
pub async fn serve(asked: GateServe, terminal: Terminal) -> anyhow::Result<Outcome> {
    let key_file = named(asked.key_file.as_deref(), KEY_FILE).with_context(|| {
        format!("the filter needs its key: name the file that holds it by --key-file or in {KEY_FILE}")
    })?;
    let token_file = named(asked.token_file.as_deref(), TOKEN_FILE).with_context(|| {
        format!("logins are reported under a token of the role ingest: name the file that holds it by --token-file or in {TOKEN_FILE}")
    })?;
    let token = Zeroizing::new(
        fs::read_to_string(&token_file).with_context(|| format!("cannot read the token {}", token_file.display()))?,
    );
    ensure!(!token.trim().is_empty(), "{}: the token is expected in it", token_file.display());
    let mut to = asked.report;
    if !matches!(to.scheme(), "http" | "https") || !to.has_host() {
        bail!("--report: expected the service's address, such as https://telltale.example.org");
    }
    if matches!(to.path(), "" | "/") {
        to.set_path("/api/v1/logins");
    }
    let authority = asked.ca.as_deref().map(|ca| fs::read(ca).with_context(|| format!("cannot read {}", ca.display())));
    let authority = authority.transpose()?;
    webhooks::trusted_certificates(authority.as_deref()).context("--ca")?;
    // The operator names the service here, and it stands in their own network.
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
    let reports = Reports {
        client: webhooks::Client::new(Guard::new(everywhere), authority),
        to,
        token: Secret::new(token.trim()),
        service: asked.service,
        spool: asked.spool,
    };
    let mut listener = ListenerConfig::plain(asked.listen);
    listener.trusted_proxies = asked.trusted_proxies;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let shown = key_file.clone();
    let mut running =
        Verifier { listener, file: asked.file, key_file, people: asked.people, reports }.start(stop.clone()).await?;
    if fs::metadata(&shown).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        terminal.note(&format!(
            "{} can be read by others, who can then ask which names are canaries': chmod 600",
            shown.display()
        ));
    }
    terminal.note(&format!("gate listens on {}", running.address));
    terminal.note("ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = &mut running.task => {
            ended??;
            bail!("the verifier ended by itself");
        }
    }
    stop.cancel();
    running.task.await??;
    Ok(Outcome::Done)
}

fn named(given: Option<&Path>, variable: &str) -> Option<PathBuf> {
    given.map(Path::to_owned).or_else(|| std::env::var_os(variable).map(PathBuf::from))
}

/// An endpoint's key, by this data folder's keyring.
fn own_key(config: &Config, endpoint: &str) -> anyhow::Result<GateKey> {
    let keyring = Keyring::open(&config.data.dir, &master::current(config)?)?;
    Ok(gates::key(&keyring, endpoint))
}

fn put(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = beside(file);
    let mut out = private(&part)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, file).with_context(|| format!("cannot write {}", file.display()))
}
