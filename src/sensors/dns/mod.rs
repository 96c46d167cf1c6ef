//! Answers for a delegated name (`docs.example.org`): a reader whose program only looks the host of a document's link up, and
//! then is kept from opening it, is seen all the same. Every name below is reported and answered alike, but for the one under
//! which a certificate is proven; nothing else is answered, and nobody is asked. Who asks is mostly a resolver: its address is the source.

pub mod pace;
pub mod zone;

use crate::{
    domain::{
        section::{Section, SectionError},
        sighting::{Presented, Touch},
    },
    sensors::{
        door::wire::{Broken, Wire},
        listener::{
            Listener,
            arrival::Arrival,
            config::{Limits, ListenerConfig},
        },
        openers, request,
        sensor::{Delegated, Entry, Reporter, Running, Sensor},
    },
};
use anyhow::Context as _;
use async_trait::async_trait;
use canaries::MarkerKind;
use ipnet::IpNet;
use jiff::Timestamp;
use pace::Pace;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::UdpSocket, sync::Semaphore, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use zone::{Asked, Zone};

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "dns", about: "answers for the name that links in documents stand under", build };

/// Datagrams under way at once; those that come meanwhile wait in the socket, and are lost there if they are too many.
const AT_ONCE: usize = 1024;
/// What is read of a datagram, and of a question on a connection.
const QUESTION: usize = 2 * 1024;
/// Of so many of a name's labels each is looked at.
const LABELS: usize = 8;
const SHORTEST: usize = 8;
/// A connection over which nothing comes for so long is closed, and every one after so long.
const IDLE: Duration = Duration::from_secs(5);
const SESSION: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 1_000;
const PER_ADDRESS: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    listen: SocketAddr,
    zone: String,
    addresses: Vec<IpAddr>,
    #[serde(default)]
    name_server: Option<String>,
    #[serde(default)]
    acme_challenge: Option<String>,
    #[serde(default, deserialize_with = "openers::networks")]
    own_networks: Vec<IpNet>,
}

/// The server of a delegated name.
pub struct Dns {
    name: String,
    listen: SocketAddr,
    zone: Zone,
    addresses: Vec<IpAddr>,
    own_networks: Vec<IpNet>,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let Config { listen, zone, addresses, name_server, acme_challenge, own_networks } = section.read()?;
    let zone = Zone::read(&zone, name_server.as_deref(), acme_challenge.as_deref(), addresses.clone())
        .map_err(|(key, wanted)| SectionError::new(key, wanted))?;
    Ok(Box::new(Dns { name: section.name.clone(), listen, zone, addresses, own_networks }))
}

impl Dns {
    async fn bind(&self) -> anyhow::Result<(UdpSocket, Listener)> {
        let limits = Limits { connections: CONNECTIONS, per_address: PER_ADDRESS, ..Limits::default() };
        let tcp = Listener::bind(&ListenerConfig::plain(self.listen), limits).await?;
        // Where any port will do, it is the same for both.
        let udp = UdpSocket::bind(tcp.address())
            .await
            .with_context(|| format!("{}, UDP: choose another `listen`, or stop what uses it", tcp.address()))?;
        Ok((udp, tcp))
    }
}

#[async_trait]
impl Sensor for Dns {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let (udp, tcp) = self.bind().await?;
        let address = Some(tcp.address());
        let serving = Arc::new(Serving { dns: *self, reporter, pace: Pace::default() });
        let task = tokio::spawn(async move {
            let (datagrams, told) = (serving.clone(), serving.clone());
            let refused = Arc::new(move |reason| told.refuse(reason));
            let asked = stop.clone();
            let handle = move |arrival: Arrival| serving.clone().connection(arrival, asked.clone());
            let (_, served) =
                tokio::join!(datagrams.datagrams(udp, stop.clone()), tcp.accept_each(refused, stop.clone(), handle));
            served
        });
        Ok(Running { address, task })
    }

    fn delegated(&self) -> Option<Delegated> {
        Some(Delegated { zone: self.zone.name(), name_server: self.zone.server(), addresses: self.addresses.clone() })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.bind().await.map(drop)
    }
}

struct Serving {
    dns: Dns,
    reporter: Reporter,
    pace: Pace,
}

impl Serving {
    /// Answers datagrams until `stop`. One that cannot be taken up at once is not read: whoever asked asks again, and no name is
    /// answered that was not reported.
    async fn datagrams(self: Arc<Self>, udp: UdpSocket, stop: CancellationToken) {
        let (udp, room) = (Arc::new(udp), Arc::new(Semaphore::new(AT_ONCE)));
        let mut open = JoinSet::new();
        let mut buffer = vec![0; QUESTION];
        loop {
            while open.try_join_next().is_some() {}
            let coming = async {
                let room = room.clone().acquire_owned().await.ok();
                (room, udp.recv_from(&mut buffer).await)
            };
            let Some((room, received)) = stop.run_until_cancelled(coming).await else { break };
            let (length, from) = match received {
                Ok(received) => received,
                Err(error) => {
                    // An error of an earlier answer is told here, too: none ends the socket, and none must spin.
                    tracing::warn!(listener = %self.dns.listen, kind = ?error.kind(), "a datagram could not be received");
                    self.refuse("receive_failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Nobody asks from port 0; an answer there goes nowhere.
            if from.port() == 0 {
                continue;
            }
            let (serving, udp, question) = (self.clone(), udp.clone(), buffer[..length].to_vec());
            open.spawn(async move {
                let source = from.ip().to_canonical();
                let bare = !serving.pace.keeps(source, Instant::now());
                match serving.dns.zone.answer(&question) {
                    None => serving.refuse("no_question"),
                    Some(answer) => {
                        // What is held short names no address: whoever is real connects, and is reported then.
                        if !bare {
                            serving.report(answer.asked.as_ref(), source, source, "UDP").await;
                        }
                        // Whoever asked may be gone.
                        let _ = udp.send_to(&answer.datagram(bare), from).await;
                    }
                }
                drop(room);
            });
        }
        let _ = tokio::time::timeout(IDLE, async { while open.join_next().await.is_some() {} }).await;
        open.shutdown().await;
    }

    /// Answers one connection's questions, one after the other.
    async fn connection(self: Arc<Self>, arrival: Arrival, stop: CancellationToken) {
        let Ok((stream, peer, _permit)) = arrival.open(IDLE).await else { return self.refuse("silent_connection") };
        let mut wire = Wire::new(stream, IDLE, stop).until(Instant::now() + SESSION);
        let length = |bytes: &[u8]| Some(2 + usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?])));
        let ended = loop {
            let question = match wire.message(QUESTION, length).await {
                Ok(question) => question,
                Err(broken) => break broken,
            };
            let Some(answer) = self.dns.zone.answer(&question[2..]) else {
                self.refuse("no_question");
                break Broken::Gone;
            };
            self.report(answer.asked.as_ref(), peer.source, peer.socket.ip(), "TCP").await;
            let bytes = answer.whole();
            wire.send(&(bytes.len() as u16).to_be_bytes());
            wire.send(&bytes);
            if let Err(broken) = wire.flush().await {
                break broken;
            }
        };
        wire.close().await;
        if ended == Broken::Endless {
            self.refuse("question_too_long");
        }
    }

    /// Waits as long for a canary as for a stranger.
    async fn report(&self, asked: Option<&Asked>, source: IpAddr, socket: IpAddr, over: &str) {
        let Some(Asked { name, kind }) = asked else { return };
        let (class, service) = openers::looked_up(over, source, &self.dns.own_networks);
        let labels = self.dns.zone.labels(name).into_iter().filter(|label| label.len() >= SHORTEST).take(LABELS);
        let presented = labels.map(|label| Presented {
            hint: Some(MarkerKind::DocumentLink),
            value: request::bounded(&label),
            hmac: false,
        });
        let touch = Touch {
            mail: None,
            opened: None,
            sensor: self.dns.name.clone(),
            reporter: socket.to_string(),
            class,
            at: Timestamp::now(),
            source_ip: Some(source),
            service,
            presented: presented.collect(),
            text: Vec::new(),
            evidence: format!("{kind} {name} over {over}").into_bytes(),
        };
        if self.reporter.observe(touch).await.is_err() {
            self.refuse("not_durable");
        }
    }

    fn refuse(&self, reason: &'static str) {
        self.reporter.refused(&self.dns.name, reason);
    }
}
