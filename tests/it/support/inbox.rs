//! A receiver of alerts on loopback: answers 200 to all, and keeps what it was sent.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// One request as received.
#[derive(Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} was sent")).to_str().unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A running receiver; it ends with its test.
pub struct Inbox {
    /// `127.0.0.1:port`
    pub address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Inbox {
    /// Starts one.
    pub async fn start() -> Inbox {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let router = Router::new().fallback(keep).with_state(received.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Inbox { address, received }
    }

    /// What came at this path.
    pub fn at(&self, path: &str) -> Vec<Received> {
        self.received.lock().unwrap().iter().filter(|received| received.path == path).cloned().collect()
    }

    /// The first at this path that fits; waited for.
    pub async fn wait(&self, path: &str, fits: impl Fn(&Received) -> bool) -> Received {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(found) = self.at(path).into_iter().find(|received| fits(received)) {
                return found;
            }
            assert!(Instant::now() < until, "{path}: no such alert within 30 s; {} others came", self.at(path).len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn keep(
    State(received): State<Arc<Mutex<Vec<Received>>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> &'static str {
    received.lock().unwrap().push(Received { path: uri.path().to_owned(), headers, body });
    "ok"
}
