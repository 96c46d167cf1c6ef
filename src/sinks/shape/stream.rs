//! A connection to a receiver that speaks no HTTP: its address vetted and pinned, in plain TCP or TLS, within five seconds.

use crate::sinks::{shape::options::Options, sink::SinkError};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use url::Host;
use webhooks::{Guard, Identity, Refusal, Vetted, connect_tls, split_host_port, tls_config};

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// What both kinds of connection are.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A receiver's host and port, and how it is reached.
pub struct Reach {
    guard: Guard,
    pub host: Host<String>,
    pub port: u16,
    authority: Option<Vec<u8>>,
    identity: Option<Identity>,
}

impl Reach {
    /// For this `host:port`.
    ///
    /// # Errors
    /// It is none.
    pub fn new(
        address: &str,
        default_port: u16,
        options: &Options,
        authority: Option<Vec<u8>>,
    ) -> Result<Reach, String> {
        let (host, port) = split_host_port(address, default_port).map_err(|error| error.to_string())?;
        let identity = options.identity.clone();
        Ok(Reach { guard: Guard::new(options.allow_private.clone()), host, port, authority, identity })
    }

    /// Looks its name up, and refuses what it may not be.
    pub async fn vet(&self) -> Result<Vetted, SinkError> {
        self.guard.vet(self.host.clone(), self.port).await.map_err(|refusal| {
            let why = refusal.to_string();
            match refusal {
                Refusal::Private(_) | Refusal::Address(_) => SinkError::GiveUp { why, status: None },
                _ => retry(why),
            }
        })
    }

    /// Connects.
    pub async fn connect(&self, vetted: &Vetted) -> Result<TcpStream, SinkError> {
        let failed = |error: io::Error| {
            retry(format!("{}:{} could not be reached ({error}): is it listening?", vetted.host, self.port))
        };
        let connected = timeout(CONNECT_TIME, TcpStream::connect(vetted.addresses.as_slice())).await;
        connected.map_err(|_| self.late(vetted))?.map_err(failed)
    }

    /// Goes on in TLS.
    pub async fn secure(&self, vetted: &Vetted, stream: TcpStream) -> Result<Box<dyn Stream>, SinkError> {
        let config = tls_config(self.authority.as_deref(), self.identity.as_ref())
            .map_err(|error| SinkError::GiveUp { why: format!("ca: {error}"), status: None })?;
        let secured = timeout(CONNECT_TIME, connect_tls(stream, &vetted.host, config)).await;
        let failed = |error| retry(format!("TLS with {}:{} failed: {error}", vetted.host, self.port));
        Ok(Box::new(secured.map_err(|_| self.late(vetted))?.map_err(failed)?))
    }

    fn late(&self, vetted: &Vetted) -> SinkError {
        retry(format!("{}:{} did not answer in 5 s", vetted.host, self.port))
    }
}

/// What may work later.
pub fn retry(why: String) -> SinkError {
    SinkError::Retry { why, status: None, after: None }
}
