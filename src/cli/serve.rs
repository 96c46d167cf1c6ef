//! `telltale serve`

use crate::{
    app,
    cli::{outcome::Outcome, terminal::Terminal},
    config::Config,
};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until SIGTERM or SIGINT.
pub async fn serve(config: &Config, terminal: Terminal) -> anyhow::Result<Outcome> {
    let metrics = PrometheusBuilder::new().install_recorder().context("metrics")?;
    let app = app::build(config, app::wall(), false)?;
    let context = app.context.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = app.run(Some(metrics)).await?;
    for (name, address) in &running.addresses {
        terminal.note(&format!("{name} listens on {address}"));
    }
    terminal.note(&format!("api listens on {}", running.api));
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
