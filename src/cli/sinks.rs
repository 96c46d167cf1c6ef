//! `telltale sinks`

use crate::{
    cli::{
        args::Sinks,
        client::Client,
        outcome::Outcome,
        terminal::{Terminal, plain},
    },
    flow::notify::Tested,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize)]
struct Answer {
    sinks: Vec<Tested>,
}

/// Sends a marked test alert and says what came of it.
pub async fn run(command: Sinks, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let Sinks::Test { name } = command;
    let answer: Answer = client.call(Method::POST, "/api/v1/sinks/test", &json!({ "name": name })).await?;
    let mut failed: Vec<&str> = Vec::new();
    for tested in answer.sinks.iter().filter(|tested| !tested.delivered) {
        failed.push(&tested.sink);
    }
    terminal.answer(&answer, || {
        let line = |tested: &Tested| match tested.delivered {
            true => format!("✓ {}: delivered", tested.sink),
            false => format!("✗ {}: {}", tested.sink, plain(&tested.response)),
        };
        answer.sinks.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    if failed.is_empty() {
        return Ok(Outcome::Done);
    }
    anyhow::bail!("not delivered to {}: see the reason above, mend it, and test again", failed.join(", "))
}
