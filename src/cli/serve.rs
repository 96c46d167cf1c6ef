//! `telltale serve`

use crate::{
    app::{self, App},
    cli::{client::locked, outcome::Outcome, terminal::Terminal},
    config::Config,
    flow::measures,
};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// A command, or the service that is just being replaced, may hold the folder for a moment longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sent to whoever writes beyond the limit on the size of files (`ulimit -f`); its number on Linux.
const SIGXFSZ: i32 = 25;

/// Open files that every listener's connections and the house's own have room in.
const FILES: u64 = 65_536;

/// Serves until SIGTERM or SIGINT.
pub async fn serve(config: &Config, terminal: Terminal) -> anyhow::Result<Outcome> {
    let metrics = PrometheusBuilder::new().install_recorder().context("metrics")?;
    measures::describe();
    take_files();
    let app = build(config, terminal).await?;
    let context = app.context.clone();
    measures::begin(&context);
    // A limit on the size of files is a full disk, which the journal knows how to bear, and no reason to die.
    let _limited = signal(SignalKind::from_raw(SIGXFSZ))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = app.run(Some(metrics)).await?;
    for (name, address) in &running.addresses {
        terminal.note(&format!("{name} listens on {address}"));
    }
    terminal.note(&format!("api listens on {}", running.api));
    if let Some(ingest) = running.ingest {
        terminal.note(&format!("api ingest listens on {ingest}"));
    }
    terminal.note("ready");
    let asked = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    running.until(context, asked).await?;
    Ok(Outcome::Done)
}

/// As many open files as may be had: every connection is one, and a shell's usual 1024 would be used up by a few who dribble.
fn take_files() {
    let allowed = getrlimit(Resource::Nofile);
    let enough = allowed.maximum.unwrap_or(FILES).min(FILES);
    if allowed.current.is_some_and(|current| current < enough)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), ..allowed })
    {
        tracing::warn!(%error, "the limit on open files stays as it is; connections above it are turned away");
    }
}

/// Builds the house as soon as the data folder is free.
async fn build(config: &Config, terminal: Terminal) -> anyhow::Result<App> {
    let began = Instant::now();
    let mut told = false;
    loop {
        match app::build(config, app::wall(), false) {
            Err(error) if locked(&error) && began.elapsed() < PATIENCE => {
                if !told {
                    terminal.note(&format!("waiting up to {} s: {error:#}", PATIENCE.as_secs()));
                    told = true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            built => return built,
        }
    }
}
