//! An observer that records what it is told, and fails or stalls where a test wants it to.

use async_trait::async_trait;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use telltale::{
    domain::{secret::with_literals, section::Section, sighting::Touch},
    sensors::{
        self,
        sensor::{Material, NotDurable, NotTaken, Observer, Reporter, Running, Sensor},
    },
};
use tokio_util::sync::CancellationToken;

/// Everything that was reported.
#[derive(Default)]
pub struct Recorder {
    pub touches: Mutex<Vec<Touch>>,
    pub positions: Mutex<BTreeMap<String, Value>>,
    /// Collected files, by name.
    pub taken: Mutex<Vec<(String, Vec<u8>)>>,
    pub refusals: Mutex<Vec<&'static str>>,
    /// Why the sensor cannot do its work, as it says.
    pub unable: Mutex<Option<&'static str>>,
    /// Nothing is durable any more.
    pub failing: AtomicBool,
    /// Reports wait until this is false again.
    pub stalled: AtomicBool,
}

#[async_trait]
impl Observer for Recorder {
    async fn observe(&self, touch: Touch) -> Result<(), NotDurable> {
        while self.stalled.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.failing.load(SeqCst) {
            return Err(NotDurable);
        }
        self.touches.lock().expect("unpoisoned").push(touch);
        Ok(())
    }

    async fn observe_all(&self, sensor: &str, touches: Vec<Touch>, position: Value) -> Result<(), NotDurable> {
        for touch in touches {
            self.observe(touch).await?;
        }
        self.remember(sensor, position).await
    }

    async fn take_in(&self, mut material: Material) -> Result<(), NotTaken> {
        if self.failing.load(SeqCst) {
            return Err(NotTaken::NotDurable);
        }
        let mut bytes = Vec::new();
        let read = tokio::task::spawn_blocking(move || {
            std::io::Read::read_to_end(&mut material.source, &mut bytes).map(|_| (material, bytes))
        });
        let (material, bytes) = read.await.expect("no panic").map_err(|_| NotTaken::Unreadable)?;
        self.taken.lock().expect("unpoisoned").push((material.name, bytes));
        self.positions.lock().expect("unpoisoned").insert(material.sensor, material.position);
        Ok(())
    }

    async fn remember(&self, sensor: &str, position: Value) -> Result<(), NotDurable> {
        if self.failing.load(SeqCst) {
            return Err(NotDurable);
        }
        self.positions.lock().expect("unpoisoned").insert(sensor.to_owned(), position);
        Ok(())
    }

    async fn recall(&self, sensor: &str) -> anyhow::Result<Option<Value>> {
        anyhow::ensure!(!self.failing.load(SeqCst), "it cannot be told now");
        Ok(self.positions.lock().expect("unpoisoned").get(sensor).cloned())
    }

    fn refused(&self, _: &str, reason: &'static str) {
        self.refusals.lock().expect("unpoisoned").push(reason);
    }

    fn sees(&self, _: &str, unable: Option<&'static str>) {
        *self.unable.lock().expect("unpoisoned") = unable;
    }
}

impl Recorder {
    /// A recorder, and the reporter that a sensor holds of it.
    pub fn new() -> (Arc<Recorder>, Reporter) {
        let recorder = Arc::new(Recorder::default());
        (recorder.clone(), Reporter(recorder))
    }

    /// All touches so far.
    pub fn touches(&self) -> Vec<Touch> {
        self.touches.lock().expect("unpoisoned").clone()
    }

    /// How often something was refused under this reason.
    pub fn refused(&self, reason: &str) -> usize {
        self.refusals.lock().expect("unpoisoned").iter().filter(|known| **known == reason).count()
    }

    /// Waits until so many touches are there.
    pub async fn wait_for(&self, count: usize) -> Vec<Touch> {
        let until = Instant::now() + Duration::from_secs(20);
        while self.touches().len() < count && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let touches = self.touches();
        assert!(touches.len() >= count, "{} of {count} touches within 20 s", touches.len());
        touches
    }
}

/// What a touch presented, as kind and value.
pub fn presented(touch: &Touch) -> Vec<(String, String)> {
    touch
        .presented
        .iter()
        .map(|presented| (presented.hint.map_or("", |hint| hint.as_str()).to_owned(), presented.value.clone()))
        .collect()
}

/// Builds a sensor of a kind from the text of its section.
pub fn build(kind: &str, keys: &str) -> Box<dyn Sensor> {
    let entry = sensors::ALL.iter().find(|entry| entry.kind == kind).expect("a known kind");
    let keys = keys.parse().expect("a table");
    let section = Section { name: kind.to_owned(), keys, folder: PathBuf::from(".") };
    with_literals(true, || (entry.build)(&section)).expect("a valid section")
}

/// A running sensor, stopped when the test drops it.
pub struct Watching {
    pub recorder: Arc<Recorder>,
    pub running: Running,
    pub stop: CancellationToken,
}

impl Watching {
    /// Starts a sensor with a fresh recorder.
    pub async fn start(kind: &str, keys: &str) -> Watching {
        let (recorder, _) = Recorder::new();
        Watching::start_with(recorder, kind, keys).await
    }

    /// Starts a sensor with this recorder.
    pub async fn start_with(recorder: Arc<Recorder>, kind: &str, keys: &str) -> Watching {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stop = CancellationToken::new();
        let running = build(kind, keys).start(Reporter(recorder.clone()), stop.clone()).await.expect("starts");
        Watching { recorder, running, stop }
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.running.address.expect("a listener")
    }

    /// An address on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Sends bytes on a new connection and reads until the other end closes or is silent for long.
pub async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read)) = tokio::time::timeout(Duration::from_millis(700), stream.read(&mut buffer)).await {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    answer
}
