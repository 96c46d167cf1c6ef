//! A mail server for the alias domains. Mail to any of their addresses is reported and taken in, canary's or not; a
//! mail is acknowledged only when its report is durable. It sends, relays and fetches nothing.

pub mod data;
pub mod kept;
pub mod session;

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        listener::{
            Listener,
            arrival::Arrival,
            config::{Limits, ListenerConfig},
        },
        mail::contents::House,
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use canaries::identifiers::domain;
use ipnet::IpNet;
use serde::Deserialize;
use session::{Ended, Session};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "smtp", about: "a mail server for the alias domains (STARTTLS, durable before 250)", build };

/// The unit in which the memory for bodies is handed out.
pub const CHUNK: usize = 64 * 1024;
// For the bodies of all connections together; a mail that gets none is taken in without its text.
const CHUNKS: usize = 2048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    alias_domains: Vec<String>,
    hostname: Option<String>,
    organisation: Option<String>,
    resolver: Option<String>,
    #[serde(default)]
    relays: Vec<IpNet>,
    #[serde(default)]
    own_domains: Vec<String>,
    #[serde(default = "max_size")]
    max_size: usize,
}

fn max_size() -> usize {
    10 * 1024 * 1024
}

/// The mail server.
pub struct Smtp {
    listener: ListenerConfig,
    rules: Rules,
}

/// What every session keeps to.
#[derive(Clone)]
pub struct Rules {
    /// The sensor's configured name.
    pub sensor: String,
    /// As it greets.
    pub hostname: String,
    /// In lower case.
    pub alias_domains: Vec<String>,
    /// Whom mails may pose as before all others.
    pub house: House,
    /// The house's own servers, which hand on what others sent.
    pub relays: Vec<IpNet>,
    /// The greatest mail, in bytes.
    pub max_size: usize,
    /// Between two reads; also for one command.
    pub pause: Duration,
    /// For a whole session.
    pub session: Duration,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (listener, config): (_, Config) = ListenerConfig::read(section)?;
    let alias_domains: Vec<String> = config
        .alias_domains
        .iter()
        .map(|name| name.trim().trim_start_matches('@').trim_end_matches('.').to_ascii_lowercase())
        .collect();
    if alias_domains.is_empty() || !alias_domains.iter().all(|name| domain::is_valid(name)) {
        let wanted = "expected at least one domain whose mail arrives here, such as courriel.example.org";
        return Err(SectionError::new("alias_domains", wanted));
    }
    let printable = |byte: u8| byte.is_ascii_graphic();
    let hostname = config.hostname.unwrap_or_else(|| alias_domains[0].clone());
    if hostname.is_empty() || !hostname.bytes().all(printable) {
        return Err(SectionError::new("hostname", "expected the mail server's name, such as mx.example.org"));
    }
    if config.max_size < 1024 {
        return Err(SectionError::new("max_size", "expected a number of bytes, 1024 at least"));
    }
    let rules = Rules {
        sensor: section.name.clone(),
        hostname,
        house: House::new(
            config.organisation.as_deref().unwrap_or_default(),
            &[config.own_domains, alias_domains.clone()].concat(),
        )
        .asking(config.resolver.as_deref())?,
        alias_domains,
        relays: config.relays,
        max_size: config.max_size,
        pause: Duration::from_secs(30),
        session: Duration::from_secs(15 * 60),
    };
    Ok(Box::new(Smtp { listener, rules }))
}

#[async_trait]
impl Sensor for Smtp {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let listener = Listener::bind(&self.listener, Limits::default()).await?;
        let address = Some(listener.address());
        let certificate = listener.certificate();
        let rules = Arc::new(self.rules);
        let memory = Arc::new(Semaphore::new(CHUNKS));
        let (sensor, counted) = (rules.sensor.clone(), reporter.clone());
        let refused = Arc::new(move |reason| counted.refused(&sensor, reason));
        let asked = stop.clone();
        let handle = move |arrival: Arrival| {
            let (rules, reporter, memory) = (rules.clone(), reporter.clone(), memory.clone());
            let (certificate, stop) = (certificate.clone(), asked.clone());
            async move {
                let Ok((stream, mut peer, _permit)) = arrival.open(Duration::from_secs(3)).await else {
                    return reporter.refused(&rules.sensor, "broken_proxy_header");
                };
                let can_start_tls = certificate.is_some();
                let session = Session::new(stream, peer, rules.clone(), reporter.clone(), memory.clone(), stop.clone());
                let (Ended::StartTls(stream), Some(certificate)) =
                    (session.run(can_start_tls, true).await, certificate)
                else {
                    return;
                };
                match timeout(rules.pause, certificate.acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => {
                        peer.tls = true;
                        let session = Session::new(stream, peer, rules, reporter, memory, stop);
                        session.run(false, false).await;
                    }
                    _ => reporter.refused(&rules.sensor, "tls_handshake_failed"),
                }
            }
        };
        Ok(Running { address, task: tokio::spawn(listener.accept_each(refused, stop, handle)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        Listener::bind(&self.listener, Limits::default()).await.map(drop)
    }
}
