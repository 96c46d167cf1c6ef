//! A web server that answers what a test wants of it, and keeps what it was asked.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// What is answered at one path.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// The server.
pub struct Vendor {
    pub address: SocketAddr,
    said: Mutex<BTreeMap<String, Said>>,
    asked: Mutex<Vec<Asked>>,
}

impl Vendor {
    /// One that knows nothing yet.
    pub async fn start() -> Arc<Vendor> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let vendor = Arc::new(Vendor { address, said: Mutex::default(), asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(vendor.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        vendor
    }

    /// From now on, this is answered at this path; the one with its query goes before the bare one.
    pub fn says(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.refuses(path, 200, &[], body);
    }

    /// The same, with a status and headers.
    pub fn refuses(&self, path: &str, status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.said.lock().unwrap().insert(path.to_owned(), Said { status, headers, body: body.into() });
    }

    /// What was asked for that begins so.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }
}

async fn answer(State(vendor): State<Arc<Vendor>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let body = String::from_utf8_lossy(&to_bytes(body, usize::MAX).await.unwrap()).into_owned();
    let method = parts.method.to_string();
    vendor.asked.lock().unwrap().push(Asked { method, path: path.clone(), headers: parts.headers, body });
    let said = vendor.said.lock().unwrap();
    let said = said.get(&path).or_else(|| said.get(parts.uri.path())).cloned();
    let Some(Said { status, headers, body }) = said else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
