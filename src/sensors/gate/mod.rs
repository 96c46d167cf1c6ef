//! The verifier that stands beside a login endpoint: reverse proxies ask it before they let a request pass. It always lets
//! pass, in the same words and the same time. Where the user name is a canary's by the endpoint's own filter, the login is
//! reported; of anybody else nothing is written, counted or sent. It runs on the endpoint, without data folder or ledger.

pub mod report;

use crate::sensors::{
    credentials::{self, Credentials, Fields},
    listener::{
        Listener, Peer,
        config::{Limits, ListenerConfig},
    },
    request,
};
use anyhow::Context as _;
use axum::{
    Extension, Router,
    extract::{Request, State},
    http::StatusCode,
};
use gate::{Gate, GateKey};
use hyper::header::{AUTHORIZATION, USER_AGENT};
use jiff::Timestamp;
use report::{Reports, Seen};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::CancellationToken;

/// How often it is seen whether there is a newer filter.
const LOOKED_EVERY: Duration = Duration::from_secs(2);
/// Logins at canaries that wait to be written down; more at once are counted and let go.
const WAITING: usize = 4096;
/// A proxy that announces a body and sends none must not hold up a login for long.
const BODY: Duration = Duration::from_secs(3);
const USER_AGENT_LIMIT: usize = 300;

/// A verifier, as it was asked for.
pub struct Verifier {
    pub listener: ListenerConfig,
    pub file: PathBuf,
    pub key_file: PathBuf,
    /// User names of the house's own people, one a line: never reported.
    pub people: Option<PathBuf>,
    pub reports: Reports,
}

/// A verifier that runs.
pub struct Verifying {
    pub address: SocketAddr,
    pub task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// The filter as it is now.
struct Current {
    file: PathBuf,
    people: Option<PathBuf>,
    key: GateKey,
    gate: RwLock<Arc<Gate>>,
    changed: RwLock<Changed>,
}

/// When the filter and the people's names were written.
type Changed = [Option<SystemTime>; 2];

struct Asked {
    current: Arc<Current>,
    fields: Fields,
    seen: mpsc::Sender<Seen>,
}

impl Verifier {
    /// Opens the filter, binds the address, and goes on in the background until `stop`.
    ///
    /// # Errors
    /// A filter or key that does not open, an address that is not free.
    pub async fn start(self, stop: CancellationToken) -> anyhow::Result<Verifying> {
        let current = Arc::new(Current::open(self.file, self.people, &self.key_file)?);
        let limits = Limits { body: Some(BODY), pause: BODY, ..Limits::default() };
        let listener = Listener::bind(&self.listener, limits).await?;
        let address = listener.address();
        let (seen, waiting) = mpsc::channel(WAITING);
        // On a thread of its own: nobody's login waits for the spool.
        let (runtime, reporting) = (Handle::current(), current.clone());
        let reports = tokio::task::spawn_blocking(move || runtime.block_on(self.reports.send(waiting, reporting)));
        let watched = tokio::spawn(current.clone().keep_fresh(stop.clone()));
        let asked = Arc::new(Asked { current, fields: Fields::new(None, None), seen });
        let router = Router::new().fallback(answer).with_state(asked);
        let task = tokio::spawn(async move {
            listener.serve(router, Arc::new(|_| ()), stop).await?;
            watched.await?;
            Ok(reports.await?)
        });
        Ok(Verifying { address, task })
    }
}

/// The same answer to everybody: all three proxies take 200, and nothing else, as leave to go on.
async fn answer(State(asked): State<Arc<Asked>>, Extension(peer): Extension<Peer>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let basic = parts.headers.get(AUTHORIZATION).and_then(|value| credentials::basic(value.as_bytes()));
    let body = request::read_body(body).await.unwrap_or_default();
    let posted = if body.is_empty() { None } else { credentials::form(&parts.headers, &body, &asked.fields) };
    for presented in [basic, posted].into_iter().flatten() {
        let user_agent = || {
            let value = String::from_utf8_lossy(parts.headers.get(USER_AGENT)?.as_bytes()).into_owned();
            Some(webhooks::clip(&value, USER_AGENT_LIMIT))
        };
        asked.asked(presented, peer, user_agent);
    }
    StatusCode::OK
}

impl Asked {
    fn asked(&self, presented: Credentials, peer: Peer, user_agent: impl FnOnce() -> Option<String>) {
        if !self.current.gate().knows(&presented.username) {
            return;
        }
        let seen = Seen { presented, source_ip: peer.source, user_agent: user_agent(), at: Timestamp::now() };
        if self.seen.try_send(seen).is_err() {
            tracing::error!("more logins at canaries arrive than can be written down: one of them is lost");
        }
    }
}

impl Current {
    fn open(file: PathBuf, people: Option<PathBuf>, key_file: &Path) -> anyhow::Result<Current> {
        let key = GateKey::read(key_file)?;
        let changed = changed(&file, people.as_deref());
        let gate = read(&file, people.as_deref(), &key)?;
        Ok(Current { file, people, key, gate: RwLock::new(Arc::new(gate)), changed: RwLock::new(changed) })
    }

    fn gate(&self) -> Arc<Gate> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens filter and names again when a file was replaced. What does not open leaves the former in force.
    async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOKED_EVERY) => {}
                () = stop.cancelled() => return,
            }
            let people = self.people.as_deref();
            let now = changed(&self.file, people);
            if now == *self.changed.read().unwrap_or_else(PoisonError::into_inner) {
                continue;
            }
            *self.changed.write().unwrap_or_else(PoisonError::into_inner) = now;
            let house = self.clone();
            let opened =
                tokio::task::spawn_blocking(move || read(&house.file, house.people.as_deref(), &house.key)).await;
            match opened.map_err(anyhow::Error::from).flatten() {
                Ok(gate) => *self.gate.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(gate),
                Err(error) => tracing::error!("the new filter is not taken, the former stays in force: {error:#}"),
            }
        }
    }
}

fn read(file: &Path, people: Option<&Path>, key: &GateKey) -> anyhow::Result<Gate> {
    let named = |file: &Path| file.display().to_string();
    let bytes = std::fs::read(file).with_context(|| named(file))?;
    let gate = Gate::open(&bytes, key).with_context(|| named(file))?;
    let Some(people) = people else { return Ok(gate) };
    let names = std::fs::read_to_string(people).with_context(|| named(people))?;
    Ok(gate.without(names.lines()))
}

fn changed(file: &Path, people: Option<&Path>) -> Changed {
    [Some(file), people].map(|file| std::fs::metadata(file?).and_then(|metadata| metadata.modified()).ok())
}
