//! The accept loop of everything that listens: connection caps, time limits, TLS, trusted proxies, a clean stop.
//! It knows no sensor and judges nothing; it names the peer and hands the connection on.

pub mod address;
pub mod arrival;
pub mod body;
pub mod caps;
pub mod config;
pub mod http;
pub mod proxy;
pub mod tls;

use arrival::Arrival;
use caps::Caps;
use config::{Limits, ListenerConfig};
use proxy::Proxies;
use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Who is at the other end. Requests carry it as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The socket's own peer: a fact.
    pub socket: SocketAddr,
    /// Where it comes from: the socket's peer, unless a trusted proxy names another.
    pub source: IpAddr,
    /// Whether the connection is encrypted, here.
    pub tls: bool,
}

/// Told of every connection that was turned away, under one of few fixed reasons.
pub type Refused = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A bound listener that accepts nothing yet.
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<tls::Certificate>>,
    proxies: Arc<Proxies>,
    limits: Limits,
}

impl Listener {
    /// Binds the address and reads the certificate. The error says what, where and how to mend it.
    pub async fn bind(config: &ListenerConfig, limits: Limits) -> anyhow::Result<Listener> {
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(cert), Some(key)) => Some(Arc::new(tls::Certificate::read(cert, key)?)),
            (None, None) => None,
            _ => anyhow::bail!("tls_cert and tls_key go together: give both or neither"),
        };
        let tcp = TcpListener::bind(config.listen).await.map_err(|error| address::explain(config.listen, &error))?;
        let address = tcp.local_addr()?;
        Ok(Listener { tcp, address, tls, proxies: Arc::new(Proxies::new(config.trusted_proxies.clone())), limits })
    }

    /// Where it listens; the real port where the configuration said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, for a protocol that starts TLS by itself.
    pub fn certificate(&self) -> Option<Arc<tls::Certificate>> {
        self.tls.clone()
    }

    /// Accepts until `stop`, hands every arrival to `handle`, and then gives open connections five seconds to end.
    /// `handle` gets the same `stop`.
    pub async fn accept_each<Handle, Ending>(
        self,
        refused: Refused,
        stop: CancellationToken,
        handle: Handle,
    ) -> anyhow::Result<()>
    where
        Handle: Fn(Arrival) -> Ending,
        Ending: Future<Output = ()> + Send + 'static,
    {
        let caps = Caps::new(self.limits.connections, self.limits.per_address);
        let mut open = JoinSet::new();
        if let Some(certificate) = &self.tls {
            open.spawn(certificate.clone().keep_fresh(stop.clone()));
        }
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = open.join_next(), if !open.is_empty() => continue,
                accepted = self.tcp.accept() => accepted,
            };
            let (tcp, socket) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a connection that ended before it was accepted: neither ends the
                    // listener, and the first must not spin.
                    tracing::warn!(listener = %self.address, kind = ?error.kind(), "a connection could not be accepted");
                    refused("accept_failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let trusted = self.proxies.trusts(socket.ip());
            match caps.admit(socket.ip(), trusted) {
                Ok(permit) => {
                    let _ = tcp.set_nodelay(true);
                    open.spawn(handle(Arrival::new(tcp, socket, self.proxies.clone(), permit)));
                }
                Err(reason) => refused(reason),
            }
        }
        drop(self.tcp);
        let _ = tokio::time::timeout(Duration::from_secs(5), async { while open.join_next().await.is_some() {} }).await;
        open.shutdown().await;
        Ok(())
    }
}
