//! A decoy SSH server. Every login is reported, by password or asked in turns, and every public key that is offered by its
//! fingerprint; all of them fail alike. It knows no way to let anybody in: no answer to a login is ever another than a refusal,
//! and what follows a login is not spoken here.

pub mod bounds;
pub mod key;
pub mod login;

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        door::{self, visitor::Presenting},
        listener::{
            Listener,
            arrival::Arrival,
            config::{Limits, ListenerConfig},
        },
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use bounds::Bounded;
use login::{Attempts, Unfinished};
use russh::{MethodKind, MethodSet, SshId, server};
use serde::Deserialize;
use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "ssh", about: "a decoy SSH server (passwords, and public keys by their fingerprints)", build };

/// Until the client has said who it is, exchanged keys, and wants to log in.
const GREETING: Duration = Duration::from_secs(10);
/// For a whole session, as sshd's LoginGraceTime.
const SESSION: Duration = Duration::from_secs(120);
/// Between two messages.
const PAUSE: Duration = Duration::from_secs(30);
/// So many logins fail in a session, as sshd's MaxAuthTries.
const ATTEMPTS: usize = 6;
/// A refusal takes at least so long: in it is lost what one login costs more than another.
const REFUSED_AFTER: Duration = Duration::from_millis(8);
/// Sessions cost more than lines of text.
const CONNECTIONS: usize = 1_000;
const PER_ADDRESS: usize = 32;
/// How long what a server says of itself may be (RFC 4253, 4.2).
const LONGEST: usize = 245;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    banner: String,
    notice: Option<String>,
    host_key: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Config { banner: "OpenSSH_9.2p1 Debian-2+deb12u7".into(), notice: None, host_key: "ssh_host_key".into() }
    }
}

/// The decoy SSH server.
pub struct Ssh {
    name: String,
    listener: ListenerConfig,
    banner: String,
    notice: Option<String>,
    host_key: PathBuf,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (listener, config): (_, Config) = ListenerConfig::read_plain(section)?;
    if door::unprintable(&config.banner) || config.banner.len() > LONGEST {
        return Err(SectionError::new("banner", door::PRINTABLE));
    }
    let host_key = section.path(&config.host_key);
    let Config { banner, notice, .. } = config;
    Ok(Box::new(Ssh { name: section.name.clone(), listener, banner, notice, host_key }))
}

impl Ssh {
    async fn bind(&self) -> anyhow::Result<Listener> {
        let limits = Limits { connections: CONNECTIONS, per_address: PER_ADDRESS, ..Limits::default() };
        Listener::bind(&self.listener, limits).await
    }
}

/// The ways of logging in that are offered, whatever was tried.
fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive][..])
}

#[async_trait]
impl Sensor for Ssh {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let listener = self.bind().await?;
        let spoken = Arc::new(server::Config {
            server_id: SshId::Standard(Cow::Owned(format!("SSH-2.0-{}", self.banner))),
            methods: methods(),
            auth_rejection_time: REFUSED_AFTER,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![key::read_or_make(&self.host_key)?],
            max_auth_attempts: ATTEMPTS,
            inactivity_timeout: Some(PAUSE),
            nodelay: true,
            ..server::Config::default()
        });
        let address = Some(listener.address());
        let (name, counted) = (self.name.clone(), reporter.clone());
        let refused = Arc::new(move |reason| counted.refused(&name, reason));
        let (ssh, asked) = (Arc::new(*self), stop.clone());
        let handle = move |arrival: Arrival| {
            let (ssh, spoken, reporter, stop) = (ssh.clone(), spoken.clone(), reporter.clone(), asked.clone());
            async move {
                let Ok((stream, peer, _permit)) = arrival.open(GREETING).await else {
                    return reporter.refused(&ssh.name, "broken_proxy_header");
                };
                let presenting = Presenting { peer, sensor: ssh.name.clone(), service: "ssh", reporter };
                let unfinished = Unfinished::default();
                let begun = CancellationToken::new();
                let stream = Bounded::new(stream, [GREETING, SESSION - GREETING], begun.clone(), stop);
                let attempts = Attempts::new(presenting.clone(), unfinished.clone(), ssh.notice.clone(), begun);
                let ended = session(spoken, stream, attempts).await;
                // A name that was told and never tried with anything was tried, too.
                if let Some(credentials) = unfinished.take() {
                    presenting.present("none", &credentials).await;
                }
                if let Err(reason) = ended {
                    presenting.refuse(reason);
                }
            }
        };
        Ok(Running { address, task: tokio::spawn(listener.accept_each(refused, stop, handle)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        if self.host_key.exists() {
            key::read(&self.host_key)?;
        }
        self.bind().await.map(drop)
    }
}

/// One client, until it is gone; or why it was sent away.
async fn session<Stream>(
    spoken: Arc<server::Config>,
    stream: Bounded<Stream>,
    attempts: Attempts,
) -> Result<(), &'static str>
where
    Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let told = |error: russh::Error| match error {
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::TimedOut => Err("too_slow"),
        russh::Error::Elapsed(_) | russh::Error::InactivityTimeout => Err("too_slow"),
        russh::Error::IO(_) | russh::Error::Disconnect | russh::Error::HUP => Ok(()),
        _ => Err("not_ssh"),
    };
    let greeted = tokio::time::timeout(GREETING, server::run_stream(spoken, stream, attempts)).await;
    match greeted {
        Err(_) => Err("too_slow"),
        Ok(Err(error)) => told(error),
        Ok(Ok(running)) => running.await.map_or_else(told, Ok),
    }
}
