//! `telltale tokens`

use crate::cli::{
    args::{Role, Tokens},
    client::{Client, escaped},
    outcome::Outcome,
    terminal::{Terminal, table},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Makes, lists and ends API tokens.
pub async fn run(command: Tokens, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    match command {
        Tokens::Create { role } => {
            let made: Value = client.call(Method::POST, "/api/v1/tokens", &json!({ "role": name(role) })).await?;
            terminal.answer(&made, || {
                format!("{}\nShown this once: keep it now.", made["token"].as_str().unwrap_or_default())
            });
        }
        Tokens::List => {
            let list: Value = client.get("/api/v1/tokens").await?;
            terminal.answer(&list, || {
                let rows: Vec<Vec<String>> = list["items"]
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or_default()
                    .iter()
                    .map(|token| {
                        let text = |key: &str| token[key].as_str().unwrap_or_default().to_owned();
                        let state = if !token["revoked_at"].is_null() { "revoked" } else { "live" };
                        vec![text("id"), text("role"), state.to_owned()]
                    })
                    .collect();
                table(&["id", "role", "state"], &rows)
            });
        }
        Tokens::Revoke { id } => {
            client.tell(Method::DELETE, &format!("/api/v1/tokens/{}", escaped(&id)), String::new()).await?;
            terminal.answer(&json!({ "revoked": id }), || format!("{id} no longer works."));
        }
    }
    Ok(Outcome::Done)
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Ingest => "ingest",
        Role::Analyst => "analyst",
        Role::Investigator => "investigator",
        Role::Planter => "planter",
        Role::Auditor => "auditor",
        Role::Admin => "admin",
    }
}
