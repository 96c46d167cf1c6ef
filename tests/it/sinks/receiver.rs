//! A receiver on loopback: keeps what it is sent and answers as told, byte for byte.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// One request as received.
#[derive(Clone)]
pub struct Request {
    pub head: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A receiver that is running; it ends with its test.
pub struct Receiver {
    pub address: String,
    manner: Arc<Mutex<Manner>>,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
}

/// How a receiver behaves once it has read a request.
#[derive(Clone)]
pub enum Manner {
    /// Answers these bytes and closes.
    Says(String),
    /// Answers what this makes of the request, and closes.
    Plays(Arc<dyn Fn(&Request) -> String + Send + Sync>),
    /// Never answers.
    Hangs,
    /// Answers one byte a second, for ever.
    Drips,
    /// Resets the connection.
    Resets,
    /// Answers with a body without end.
    Floods,
}

/// A whole HTTP answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Manner {
    Manner::Says(whole(status, headers, body))
}

/// The same, for one that plays its part.
pub fn whole(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

impl Receiver {
    /// Starts one.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            address: listener.local_addr().unwrap().to_string(),
            manner: Arc::new(Mutex::new(manner)),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (receiver.requests.clone(), receiver.connections.clone());
        let manners = receiver.manner.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let manner = manners.lock().unwrap().clone();
                tokio::spawn(serve(stream, manner, requests.clone()));
            }
        });
        receiver
    }

    /// Behaves otherwise from the next connection on.
    pub fn becomes(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// What was received.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, requests: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else { return };
    requests.lock().unwrap().push(request.clone());
    match manner {
        Manner::Says(text) => say(stream, &text).await,
        Manner::Plays(part) => say(stream, &part(&request)).await,
        Manner::Hangs => tokio::time::sleep(std::time::Duration::from_secs(60)).await,
        Manner::Drips => {
            for byte in b"HTTP/1.1 200 OK\r\nx-long: ".iter().chain(std::iter::repeat_n(&b'x', 60)) {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        Manner::Resets => {
            let _ = stream.set_zero_linger();
        }
        Manner::Floods => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n").await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
        }
    }
}

async fn say(mut stream: TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let headers: BTreeMap<_, _> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { head, headers, body: String::from_utf8(bytes[end + 4..].to_vec()).ok()? })
}
