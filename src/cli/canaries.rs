//! `telltale canaries`

use crate::{
    api::canaries::Registered,
    cli::{
        args::Canaries,
        client::{Client, escaped},
        outcome::Outcome,
        terminal::{Terminal, plain, table},
    },
};
use reqwest::{Body, Method};

/// Prints the register: one object a line with `--json`.
pub async fn run(command: Canaries, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let Canaries::List { store, reveal } = command;
    let mut path = format!("/api/v1/canaries?reveal={reveal}");
    if let Some(store) = store {
        path.push_str(&format!("&store={}", escaped(&store)));
    }
    let mut rows = Vec::new();
    let mut any = false;
    client
        .lines(Method::GET, &path, Body::default(), |line| {
            any = true;
            if terminal.json {
                terminal.line(&String::from_utf8_lossy(line));
                return Ok(());
            }
            let registered: Registered = serde_json::from_slice(line)?;
            rows.push(row(registered));
            Ok(())
        })
        .await?;
    if !any {
        if !terminal.json {
            terminal.note("No canary is registered: `telltale plant` makes some.");
        }
        return Ok(Outcome::NothingFound);
    }
    if !terminal.json {
        terminal.line(&table(&["canary", "persona", "kind", "store", "generation", "state", "markers"], &rows));
    }
    Ok(Outcome::Done)
}

fn row(registered: Registered) -> Vec<String> {
    let markers: Vec<String> = registered
        .markers
        .iter()
        .map(|marker| match &marker.value {
            Some(value) => format!("{}={}", marker.kind, plain(value)),
            None => marker.kind.to_string(),
        })
        .collect();
    let state = serde_json::to_value(registered.state).ok().and_then(|state| state.as_str().map(str::to_owned));
    vec![
        registered.canary.to_string(),
        registered.persona.map(|persona| persona.to_string()).unwrap_or_default(),
        registered.kind,
        registered.store,
        registered.generation.to_string(),
        state.unwrap_or_default(),
        markers.join(" "),
    ]
}
