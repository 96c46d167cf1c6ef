//! `telltale deliveries`

use crate::{
    cli::{
        args::Deliveries,
        client::{Client, escaped},
        outcome::Outcome,
        terminal::{Terminal, plain, table},
    },
    flow::deliveries::{Again, Delivery, SinkState, State},
};
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Page {
    items: Vec<Delivery>,
    #[serde(default)]
    sinks: Vec<SinkState>,
    next_cursor: Option<String>,
}

/// Lists deliveries, or sends alerts again.
pub async fn run(command: Deliveries, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    match command {
        Deliveries::List { sink, failed } => list(sink.as_deref(), failed, client, terminal).await,
        Deliveries::Replay { since, sink, alerts } => {
            let again = Again { since, sink, alerts };
            let answer: Replayed = client.call(Method::POST, "/api/v1/deliveries/replay", &again).await?;
            terminal.answer(&answer, || match answer.items.len() {
                0 => "No alert was for such a sink since then.".to_owned(),
                count => format!("{}\n\n{count} sent again, or due.", shown(&answer.items)),
            });
            Ok(if answer.items.is_empty() { Outcome::NothingFound } else { Outcome::Done })
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Replayed {
    items: Vec<Delivery>,
}

async fn list(sink: Option<&str>, failed: bool, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let mut whole = Page { items: Vec::new(), sinks: Vec::new(), next_cursor: None };
    let only = sink.map(|sink| format!("&sink={}", escaped(sink))).unwrap_or_default();
    let mut cursor = String::new();
    loop {
        let page: Page = client.get(&format!("/api/v1/deliveries?limit=1000&failed={failed}{only}{cursor}")).await?;
        whole.items.extend(page.items);
        whole.sinks = page.sinks;
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={}", escaped(&next)),
            None => break,
        }
    }
    terminal.answer(&whole, || {
        let failing = whole.sinks.iter().filter_map(|state| {
            let since = state.failing_since?;
            Some(format!("\n✗ {} has taken nothing since {}", state.sink, clock(Some(since))))
        });
        let list = match whole.items.is_empty() {
            true => if failed { "Nothing failed." } else { "Nothing was sent yet." }.to_owned(),
            false => shown(&whole.items),
        };
        format!("{list}{}", failing.collect::<String>())
    });
    Ok(if whole.items.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn shown(items: &[Delivery]) -> String {
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    table(&["alert", "type", "incident", "sink", "state", "attempts", "last", "next", "what went wrong"], &rows)
}

fn row(delivery: &Delivery) -> Vec<String> {
    let state = match delivery.state {
        State::Delivered => "delivered".to_owned(),
        State::Dead => "given up".to_owned(),
        State::Waiting => match &delivery.handed_to {
            Some(then) => format!("waiting, handed to {}", plain(then)),
            None => "waiting".to_owned(),
        },
    };
    vec![
        plain(&delivery.alert),
        delivery.alert_type.as_str().to_owned(),
        plain(delivery.incident.as_deref().unwrap_or_default()),
        plain(&delivery.sink),
        state,
        delivery.attempts.to_string(),
        clock(delivery.last_attempt),
        clock(delivery.next_attempt),
        plain(&webhooks::clip(delivery.last_error.as_deref().unwrap_or_default(), 80)),
    ]
}

fn clock(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default()
}
