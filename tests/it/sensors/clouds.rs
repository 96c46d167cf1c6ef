//! A provider in a cloud, as the polling sensors meet it: on loopback, answering as a test says, and remembering what it was
//! asked.

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use telltale::domain::sighting::Touch;

/// One request.
#[derive(Clone)]
pub struct Asked {
    pub path: String,
    pub query: HashMap<String, String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    /// What was shown to be let in.
    pub fn shown(&self) -> &str {
        self.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Answer = Box<dyn Fn(&Asked) -> Response + Send + Sync>;

/// The provider.
pub struct Cloud {
    pub address: SocketAddr,
    asked: Mutex<Vec<Asked>>,
    answer: Answer,
}

impl Cloud {
    /// One that answers so.
    pub async fn start(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Arc<Cloud> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let cloud = Arc::new(Cloud { address, asked: Mutex::default(), answer: Box::new(answer) });
        let router = Router::new().fallback(serve).with_state(cloud.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        cloud
    }

    /// What was asked for under this path.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().expect("unpoisoned").iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

async fn serve(State(cloud): State<Arc<Cloud>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a short body");
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let asked = Asked { path: parts.uri.path().to_owned(), query, headers: parts.headers, body };
    let answer = (cloud.answer)(&asked);
    cloud.asked.lock().expect("unpoisoned").push(asked);
    answer
}

/// The names that were presented, of each touch one.
pub fn names(touches: &[Touch]) -> Vec<String> {
    touches.iter().map(|touch| touch.presented[0].value.clone()).collect()
}

/// Waits until it is so.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 20 s: {what}");
}
