//! What a rehearsal needs of the outside world, on loopback: a paste site, and a chat that takes webhooks.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A small paste site, with the list and items of rustypaste.
#[derive(Clone, Default)]
pub struct PasteSite(Arc<Mutex<BTreeMap<String, String>>>);

impl PasteSite {
    /// Opens it on a free port.
    pub async fn open(stop: CancellationToken) -> anyhow::Result<(PasteSite, SocketAddr)> {
        let site = PasteSite::default();
        let router = Router::new().route("/list", get(list)).route("/{name}", get(item)).with_state(site.clone());
        let address = serve(router, stop).await?;
        Ok((site, address))
    }

    /// Publishes a text.
    pub fn publish(&self, name: &str, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), text.to_owned());
    }
}

async fn list(State(site): State<PasteSite>) -> Json<Value> {
    let pastes = site.0.lock().unwrap_or_else(PoisonError::into_inner);
    let items: Vec<Value> = pastes
        .iter()
        .map(|(name, text)| json!({ "file_name": name, "file_size": text.len(), "creation_date_utc": null, "expires_at_utc": null }))
        .collect();
    Json(Value::Array(items))
}

async fn item(State(site): State<PasteSite>, Path(name): Path<String>) -> Result<String, StatusCode> {
    let pastes = site.0.lock().unwrap_or_else(PoisonError::into_inner);
    pastes.get(&name).cloned().ok_or(StatusCode::NOT_FOUND)
}

/// A chat's incoming webhook, in Slack's shape: it keeps what it is sent.
#[derive(Clone, Default)]
pub struct Chat(Arc<Mutex<Vec<(Instant, Value)>>>);

impl Chat {
    /// Opens it on a free port; the webhook's path is `/services/T/B/x`.
    pub async fn open(stop: CancellationToken) -> anyhow::Result<(Chat, SocketAddr)> {
        let chat = Chat::default();
        let router = Router::new().route("/services/T/B/x", post(receive)).with_state(chat.clone());
        let address = serve(router, stop).await?;
        Ok((chat, address))
    }

    /// What was received, in order.
    pub fn messages(&self) -> Vec<(Instant, Value)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn receive(State(chat): State<Chat>, Json(message): Json<Value>) -> &'static str {
    chat.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), message));
    "ok"
}

async fn serve(router: Router, stop: CancellationToken) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        // Its end is the rehearsal's end.
        let _ = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    });
    Ok(address)
}
