//! A `telltale serve` that is running: where it listens, and how it is stopped. Killed when dropped.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A service that is ready.
pub struct Serving {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Serving {
    /// Starts the command, and reads its standard error until the line `ready`.
    pub async fn start(mut command: Command) -> Serving {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut addresses = BTreeMap::new();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line == "ready" {
                    return true;
                }
                if let Some((name, address)) = line.split_once(" listens on ") {
                    addresses.insert(name.to_owned(), address.parse().unwrap());
                }
                said.lock().unwrap().push(line);
            }
            false
        };
        let ready = tokio::time::timeout(Duration::from_secs(60), ready).await;
        assert!(matches!(ready, Ok(true)), "serve is not ready: {:?}", said.lock().unwrap());
        let told = said.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                told.lock().unwrap().push(line);
            }
        });
        Serving { child, addresses, said }
    }

    /// Where this sensor, or `api`, listens.
    pub fn address(&self, name: &str) -> SocketAddr {
        *self.addresses.get(name).unwrap_or_else(|| panic!("{name} does not listen: {:?}", self.addresses))
    }

    /// An address of the API.
    pub fn api(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("api"))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Every line on standard error but `ready`, so far.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Waits until the index is whole.
    pub async fn settled(&self) {
        let client = client();
        for _ in 0..600 {
            let answer = client.get(self.api("/readyz")).send().await.unwrap();
            if answer.status() == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not ready within 30 s: {:?}", self.said());
    }

    /// SIGTERM, as an init system sends it; answers how it ended.
    pub async fn terminate(mut self) -> (ExitStatus, Vec<String>) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it does not stop: {:?}", self.said())).unwrap();
        (status, self.said())
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A client without proxies, which waits for no answer longer than 20 s.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}
