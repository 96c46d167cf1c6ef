//! `telltale tokens`

use crate::cli::{
    args::{Role, Tokens},
    client::{Client, escaped},
    outcome::Outcome,
    terminal::{Terminal, plain, table},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Makes, lists and ends API tokens.
pub async fn run(command: Tokens, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    match command {
        Tokens::Create { role, name } => {
            let wanted = json!({ "role": role_name(role), "name": name });
            let made: Value = client.call(Method::POST, "/api/v1/tokens", &wanted).await?;
            terminal.answer(&made, || {
                let text = |key: &str| made[key].as_str().unwrap_or_default();
                let id = text("id");
                format!(
                    "{}\nShown this once: keep it now. Its id is {id}; `telltale tokens revoke {id}` ends it.",
                    text("token")
                )
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
                        let text = |key: &str| plain(token[key].as_str().unwrap_or_default());
                        let state = if !token["revoked_at"].is_null() { "revoked" } else { "live" };
                        vec![text("id"), text("name"), text("role"), state.to_owned(), text("issued_at")]
                    })
                    .collect();
                table(&["id", "name", "role", "state", "made"], &rows)
            });
        }
        Tokens::Revoke { id } => {
            client.tell(Method::DELETE, &format!("/api/v1/tokens/{}", escaped(&id)), String::new()).await?;
            terminal.answer(&json!({ "revoked": id }), || format!("{id} no longer works."));
        }
    }
    Ok(Outcome::Done)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Ingest => "ingest",
        Role::Analyst => "analyst",
        Role::Investigator => "investigator",
        Role::Planter => "planter",
        Role::Auditor => "auditor",
        Role::Admin => "admin",
    }
}
