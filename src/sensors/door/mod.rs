//! What decoy services that are no web pages share: a listener, time limits, TLS at once or when the client asks, and the
//! report of who presented what. A service says only how its protocol talks. Nobody is ever let in, and no answer depends
//! on who was there.

pub mod visitor;
pub mod wire;

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        listener::{
            Listener, Peer,
            arrival::Arrival,
            config::{Limits, ListenerConfig},
            tls::Certificate,
        },
        sensor::{Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use visitor::{Presenting, Stream, Then, Tls, Visitor};
use wire::{Broken, Wire};

/// Between two commands.
const PAUSE: Duration = Duration::from_secs(30);
/// For a whole session.
const SESSION: Duration = Duration::from_secs(15 * 60);

/// How a service talks with one client.
#[async_trait]
pub trait Talk: DeserializeOwned + Send + Sync + 'static {
    /// Its name, in reports.
    const SERVICE: &'static str;

    /// Whether the client is to start TLS before anything is said.
    fn implicit_tls(&self) -> bool;

    /// What is wrong with its section.
    fn fault(&self) -> Option<(&'static str, &'static str)>;

    /// Talks until the client leaves, or wants TLS. After that it is asked again.
    async fn talk(&self, visitor: &mut Visitor) -> Result<Then, Broken>;
}

/// A decoy service.
struct Door<T> {
    name: String,
    listener: ListenerConfig,
    talk: T,
}

/// What a greeting must be.
pub const PRINTABLE: &str = "expected one line of printable ASCII";

/// Whether a greeting is no line.
pub fn unprintable(text: &str) -> bool {
    text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// Builds the sensor of a service from its section.
pub fn build<T: Talk>(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (listener, talk): (_, T) = ListenerConfig::read(section)?;
    if let Some((key, wanted)) = talk.fault() {
        return Err(SectionError::new(key, wanted));
    }
    if talk.implicit_tls() && listener.tls_cert.is_none() {
        return Err(SectionError::new("implicit_tls", "expected tls_cert and tls_key beside it"));
    }
    Ok(Box::new(Door { name: section.name.clone(), listener, talk }))
}

#[async_trait]
impl<T: Talk> Sensor for Door<T> {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let listener = Listener::bind(&self.listener, Limits::default()).await?;
        let address = Some(listener.address());
        let certificate = listener.certificate();
        let (name, counted) = (self.name.clone(), reporter.clone());
        let refused = Arc::new(move |reason| counted.refused(&name, reason));
        let (door, asked) = (Arc::new(*self), stop.clone());
        let handle = move |arrival: Arrival| {
            let (door, reporter) = (door.clone(), reporter.clone());
            let (certificate, stop) = (certificate.clone(), asked.clone());
            async move {
                let Ok((stream, peer, _permit)) = arrival.open(Duration::from_secs(3)).await else {
                    return reporter.refused(&door.name, "broken_proxy_header");
                };
                let ended = door.serve(Box::new(stream), peer, certificate, &reporter, stop).await;
                ended.unwrap_or_else(|reason| reporter.refused(&door.name, reason));
            }
        };
        Ok(Running { address, task: tokio::spawn(listener.accept_each(refused, stop, handle)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        Listener::bind(&self.listener, Limits::default()).await.map(drop)
    }
}

impl<T: Talk> Door<T> {
    /// One client, until it is gone; or why it was sent away.
    async fn serve(
        &self,
        mut stream: Stream,
        peer: Peer,
        certificate: Option<Arc<Certificate>>,
        reporter: &Reporter,
        stop: CancellationToken,
    ) -> Result<(), &'static str> {
        let mut tls = if certificate.is_some() { Tls::Offered } else { Tls::None };
        let mut greeted = false;
        // The talk itself ends by it: cut off from outside, it could not report a name that waits for its password.
        let until = Instant::now() + SESSION;
        if self.talk.implicit_tls() {
            (stream, tls) = (encrypted(stream, certificate.as_ref()).await?, Tls::On);
        }
        loop {
            let mut visitor = Visitor {
                wire: Wire::new(stream, PAUSE, stop.clone()).until(until),
                tls,
                greeted,
                presenting: Presenting {
                    peer,
                    sensor: self.name.clone(),
                    service: T::SERVICE,
                    reporter: reporter.clone(),
                },
            };
            let said = self.talk.talk(&mut visitor).await;
            // What was sent in clear behind the wish for TLS would be taken for sent under it.
            let improper = visitor.wire.has_input();
            match said {
                Ok(Then::StartTls) if !improper && visitor.wire.flush().await.is_ok() => {
                    stream = encrypted(visitor.wire.into_stream(), certificate.as_ref()).await?;
                    (tls, greeted) = (Tls::On, true);
                }
                Ok(then) => {
                    visitor.wire.close().await;
                    let injected = matches!(then, Then::StartTls) && improper;
                    return if injected { Err("improper_pipelining") } else { Ok(()) };
                }
                Err(broken) => {
                    visitor.wire.close().await;
                    return match broken {
                        Broken::Gone | Broken::Stopping => Ok(()),
                        Broken::Silent => Err("too_slow"),
                        Broken::Endless => Err("line_too_long"),
                    };
                }
            }
        }
    }
}

async fn encrypted(stream: Stream, certificate: Option<&Arc<Certificate>>) -> Result<Stream, &'static str> {
    let acceptor = certificate.ok_or("tls_handshake_failed")?.acceptor();
    match timeout(Limits::default().first_byte, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        _ => Err("tls_handshake_failed"),
    }
}
