//! Alerts as syslog records over TCP, TLS (RFC 5425) or UDP. A record is counted as delivered over TCP and TLS once
//! the receiver has closed after reading it, which is all that syslog can tell; over UDP nothing can be told.

use crate::{
    domain::{
        alert::Alert,
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            options::{Options, read, read_authority},
            record::{Format, record},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{io, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use url::Host;
use webhooks::{Guard, Refusal, Vetted, connect_tls, split_host_port, tls_config};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "syslog",
    about: "RFC 5424, CEF or LEEF records to a SIEM, over TCP, TLS or UDP",
    build: Syslog::build,
};

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TOTAL_TIME: Duration = Duration::from_secs(15);
const CLOSE_TIME: Duration = Duration::from_secs(5);
/// What collectors take in one datagram, and in one frame.
const MOST_UDP: usize = 2048;
const MOST_TCP: usize = 8000;

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Transport {
    Tcp,
    Udp,
    Tls,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FormatName {
    Cef,
    Leef,
    Rfc5424,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    address: String,
    transport: Transport,
    format: FormatName,
    ca: Option<PathBuf>,
}

struct Syslog {
    options: Options,
    guard: Guard,
    host: Host<String>,
    port: u16,
    transport: Transport,
    format: Format,
    authority: Option<Vec<u8>>,
    own_name: String,
}

impl Syslog {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let default_port = if config.transport == Transport::Tls { 6514 } else { 514 };
        let (host, port) = split_host_port(&config.address, default_port)
            .map_err(|error| SectionError::new("address", error.to_string()))?;
        let own_name = hostname::get().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Box::new(Syslog {
            guard: Guard::new(options.allow_private.clone()),
            options,
            host,
            port,
            transport: config.transport,
            format: match config.format {
                FormatName::Cef => Format::Cef,
                FormatName::Leef => Format::Leef,
                FormatName::Rfc5424 => Format::Rfc5424,
            },
            authority: read_authority(section, config.ca.as_deref())?,
            own_name,
        }))
    }

    async fn vet(&self) -> Result<Vetted, SinkError> {
        self.guard.vet(self.host.clone(), self.port).await.map_err(|refusal| {
            let why = refusal.to_string();
            match refusal {
                Refusal::Private(_) | Refusal::Address(_) => SinkError::GiveUp { why, status: None },
                _ => retry(why),
            }
        })
    }

    async fn connect(&self, vetted: &Vetted) -> Result<Box<dyn Stream>, SinkError> {
        let failed = |error: io::Error| {
            retry(format!("{}:{} could not be reached ({error}): is a collector listening?", vetted.host, self.port))
        };
        let connected = async {
            let stream = TcpStream::connect(vetted.addresses.as_slice()).await.map_err(failed)?;
            if self.transport != Transport::Tls {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            }
            let config = tls_config(self.authority.as_deref())
                .map_err(|error| SinkError::GiveUp { why: format!("ca: {error}"), status: None })?;
            let stream = connect_tls(stream, &vetted.host, config)
                .await
                .map_err(|error| retry(format!("TLS with {}:{} failed: {error}", vetted.host, self.port)))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        let late = || retry(format!("{}:{} did not answer in 5 s", vetted.host, self.port));
        timeout(CONNECT_TIME, connected).await.map_err(|_| late())?
    }

    /// Sends one counted frame, closes our half, and waits for the receiver to close its own.
    async fn send_stream(&self, line: &str) -> Result<(), SinkError> {
        let vetted = self.vet().await?;
        let mut stream = self.connect(&vetted).await?;
        let lost = |error: io::Error| retry(format!("{}:{} broke off: {error}", vetted.host, self.port));
        stream.write_all(format!("{} {line}", line.len()).as_bytes()).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        stream.shutdown().await.map_err(lost)?;
        match timeout(CLOSE_TIME, read_to_close(&mut stream)).await {
            Ok(closed) => closed.map_err(lost),
            Err(_) => Err(retry(format!("{}:{} did not close after the record: it may hang", vetted.host, self.port))),
        }
    }

    async fn send_datagram(&self, line: &str) -> Result<(), SinkError> {
        let vetted = self.vet().await?;
        let receiver = vetted.addresses[0];
        let own = if receiver.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let sent = async {
            let socket = UdpSocket::bind(own.parse::<SocketAddr>().map_err(io::Error::other)?).await?;
            socket.connect(receiver).await?;
            socket.send(line.as_bytes()).await
        };
        sent.await.map(|_| ()).map_err(|error| retry(format!("{receiver} could not be sent to: {error}")))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Many collectors close without TLS's goodbye; a reset is a loss.
async fn read_to_close(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    let mut ignored = [0; 1024];
    loop {
        match stream.read(&mut ignored).await {
            Ok(0) => return Ok(()),
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn retry(why: String) -> SinkError {
    SinkError::Retry { why, status: None, after: None }
}

#[async_trait]
impl Sink for Syslog {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let most = if self.transport == Transport::Udp { MOST_UDP } else { MOST_TCP };
        let line = record(alert, self.format, &self.own_name, most);
        let sent = async {
            match self.transport {
                Transport::Udp => self.send_datagram(&line).await,
                Transport::Tcp | Transport::Tls => self.send_stream(&line).await,
            }
        };
        timeout(TOTAL_TIME, sent)
            .await
            .map_err(|_| retry(format!("{}:{} did not take the record in 15 s", self.host, self.port)))??;
        Ok(Receipt { status: None, response: String::new() })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let vetted = self.vet().await?;
        if self.transport != Transport::Udp {
            let mut stream = self.connect(&vetted).await?;
            stream.shutdown().await?;
        }
        Ok(())
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
