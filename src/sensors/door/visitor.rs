//! One client of a decoy service: its connection, and what it presents.

use crate::{
    domain::sighting::{Class, Touch},
    sensors::{
        credentials::Credentials,
        door::wire::{Broken, Wire},
        listener::Peer,
        sensor::Reporter,
    },
};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

/// So many commands that are none, and the client is sent away.
const MISTAKES: usize = 20;

/// A connection, encrypted or not.
pub type Stream = Box<dyn Duplex>;

/// Both directions of one.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Duplex for T {}

/// How it stands with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// There is no certificate.
    None,
    /// The client may start it.
    Offered,
    /// The connection is encrypted.
    On,
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The connection is done with.
    Close,
    /// The client starts TLS now.
    StartTls,
}

/// Who presents something, where.
#[derive(Clone)]
pub struct Presenting {
    pub peer: Peer,
    pub sensor: String,
    pub service: &'static str,
    pub reporter: Reporter,
}

impl Presenting {
    /// Reports what was presented, and waits as long for a canary as for a stranger. The service's answer is the same
    /// whatever comes of it.
    pub async fn present(&self, way: &str, credentials: &Credentials) {
        let presented = credentials.presented();
        if presented.is_empty() {
            return self.refuse("no_credentials");
        }
        // What was sent with line breaks in it writes no line of the evidence.
        let password = credentials.password.as_deref().map(str::escape_debug);
        let evidence = format!(
            "{}\r\nuser name: {}\r\npassword: {}\r\n",
            way.escape_debug(),
            credentials.username.escape_debug(),
            password.map_or_else(|| "(none)".to_owned(), |password| password.to_string())
        );
        let touch = Touch {
            opened: None,
            sensor: self.sensor.clone(),
            reporter: self.peer.socket.ip().to_string(),
            class: Class::Login,
            at: Timestamp::now(),
            source_ip: Some(self.peer.source),
            service: self.service.to_owned(),
            presented,
            text: Vec::new(),
            mail: None,
            evidence: evidence.into_bytes(),
        };
        if self.reporter.observe(touch).await.is_err() {
            self.refuse("not_durable");
        }
    }

    /// Counts what the service could not read.
    pub fn refuse(&self, reason: &'static str) {
        self.reporter.refused(&self.sensor, reason);
    }
}

/// One client.
pub struct Visitor {
    pub wire: Wire<Stream>,
    pub tls: Tls,
    /// Whether it was greeted, before it started TLS.
    pub greeted: bool,
    pub(super) presenting: Presenting,
}

impl Visitor {
    /// Reports what was presented.
    pub async fn present(&self, way: &str, credentials: &Credentials) {
        self.presenting.present(way, credentials).await;
    }

    /// Counts what the service could not read.
    pub fn refuse(&self, reason: &'static str) {
        self.presenting.refuse(reason);
    }

    /// The next line as text, without its end; one that was too long, or of which there were too many that are no
    /// command, ends the session.
    pub async fn line(&mut self, mistakes: usize) -> Result<String, Broken> {
        if mistakes > MISTAKES {
            self.refuse("too_many_errors");
            return Err(Broken::Gone);
        }
        let line = self.wire.line().await?.ok_or(Broken::Endless)?;
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }
}
