//! Logins at canaries on their way from an endpoint to the service. They wait in memory, and in a file where one is named,
//! until the service has them: it may be away for hours, and the endpoint may be started anew. What waits is bounded. A
//! password leaves as its keyed digest only; a stranger never comes this way.

use crate::{
    domain::secret::Secret,
    sensors::{credentials::Credentials, gate::Current, request::bounded},
};
use jiff::Timestamp;
use serde_json::json;
use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use url::Url;

/// Reports that may wait; more are counted and let go.
const MOST: usize = 20_000;
/// Reports that are sent at once.
const AT_ONCE: usize = 200;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A login with a canary's name.
pub struct Seen {
    pub presented: Credentials,
    pub source_ip: IpAddr,
    pub user_agent: Option<String>,
    pub at: Timestamp,
}

/// Where reports go.
pub struct Reports {
    pub client: webhooks::Client,
    /// The service's `/api/v1/logins`.
    pub to: Url,
    pub token: Secret,
    /// What the service calls the place; none: the endpoint's name.
    pub service: Option<String>,
    /// The file in which they wait.
    pub spool: Option<PathBuf>,
}

impl Reports {
    /// Sends what is seen, in order, until nobody is left who could see more; then once more what still waits.
    pub(super) async fn send(self, mut seen: mpsc::Receiver<Seen>, current: Arc<Current>) {
        let mut waiting = Waiting::open(self.spool.clone());
        let mut pause = FIRST_PAUSE;
        let mut next = Instant::now();
        let mut stopped = false;
        loop {
            let mut fresh = Vec::new();
            tokio::select! {
                taken = seen.recv_many(&mut fresh, AT_ONCE) => stopped |= taken == 0,
                () = tokio::time::sleep_until(next), if !waiting.lines.is_empty() => {}
            }
            let gate = current.gate();
            let lines = fresh.into_iter().map(|seen| self.line(seen, &gate)).collect();
            waiting.add(lines);
            if !waiting.lines.is_empty() && (stopped || Instant::now() >= next) {
                match self.post(waiting.first()).await {
                    Ok(()) => {
                        waiting.sent();
                        (pause, next) = (FIRST_PAUSE, Instant::now());
                    }
                    Err(why) => {
                        tracing::warn!(waiting = waiting.lines.len(), "logins at canaries wait: {why}");
                        next = Instant::now() + pause;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        if stopped {
                            break;
                        }
                    }
                }
            }
            if stopped && waiting.lines.is_empty() {
                break;
            }
        }
        if !waiting.lines.is_empty() && waiting.file.is_none() {
            tracing::error!(
                lost = waiting.lines.len(),
                "logins at canaries are lost with this process: name a --spool"
            );
        }
    }

    /// One login event, as the service takes it. The account is nobody's, so the login fails.
    fn line(&self, seen: Seen, gate: &gate::Gate) -> String {
        let Seen { presented, source_ip, user_agent, at } = seen;
        let hmac = presented.password.map(|password| gate.password_hmac(&password));
        let service = self.service.as_deref().unwrap_or(gate.endpoint());
        json!({
            "username": presented.username, "source_ip": source_ip, "outcome": "failure", "at": at, "service": service,
            "password_hmac": hmac, "user_agent": user_agent.as_deref().map(bounded),
        })
        .to_string()
    }

    /// Posts these lines; or says why the service has not got them.
    async fn post(&self, body: String) -> Result<(), String> {
        // Whoever is sent the same once more, since an answer was lost, takes it once.
        let key = blake3::hash(body.as_bytes()).to_hex();
        let bearer = format!("Bearer {}", self.token.reveal());
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/x-ndjson"),
            ("idempotency-key", key.as_str()),
        ];
        match self.client.post(&self.to, &headers, body.into_bytes()).await {
            Ok(answer) => match answer.status {
                200..=299 => Ok(()),
                // None of it is a login event: it will not become one.
                422 => {
                    tracing::error!("the service takes none of these logins for one (422): they are let go");
                    Ok(())
                }
                401 | 403 => Err(format!("the service does not take the token ({})", answer.status)),
                status => Err(format!("the service answers {status}")),
            },
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Reports that the service has not got yet.
struct Waiting {
    lines: VecDeque<String>,
    file: Option<PathBuf>,
    posted: usize,
}

impl Waiting {
    /// What an earlier run left.
    fn open(file: Option<PathBuf>) -> Waiting {
        let left = file.as_deref().map(fs::read_to_string).and_then(Result::ok).unwrap_or_default();
        // A line that a crash cut off is no report yet.
        let whole = left.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().filter(|line| !line.is_empty()).take(MOST).map(str::to_owned).collect();
        Waiting { lines, file, posted: 0 }
    }

    fn add(&mut self, mut lines: Vec<String>) {
        let room = MOST - self.lines.len().min(MOST);
        if lines.len() > room {
            tracing::error!(lost = lines.len() - room, "{MOST} logins at canaries wait, and no more can");
            lines.truncate(room);
        }
        if lines.is_empty() {
            return;
        }
        if let Some(file) = &self.file {
            told(append(file, &lines));
        }
        self.lines.extend(lines);
    }

    /// The first of them, a line each.
    fn first(&mut self) -> String {
        // The same until the service has them: with others behind them it would be another request, and told twice.
        if self.posted == 0 {
            self.posted = self.lines.len().min(AT_ONCE);
        }
        self.lines.iter().take(self.posted).map(|line| format!("{line}\n")).collect()
    }

    /// The service has the first of them.
    fn sent(&mut self) {
        self.lines.drain(..std::mem::take(&mut self.posted));
        if let Some(file) = &self.file {
            told(replace(file, &self.lines));
        }
    }
}

fn told(kept: io::Result<()>) {
    if let Err(error) = kept {
        tracing::error!("the spool cannot be written, what waits is in memory alone: {}", error.kind());
    }
}

fn append(file: &Path, lines: &[String]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    file.write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
    file.sync_data()
}

fn replace(file: &Path, lines: &VecDeque<String>) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let mut options = OpenOptions::new();
    let mut part: File = options.create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    part.write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
    part.sync_data()?;
    fs::rename(&beside, file)
}
