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
            sent::note,
            stream::{Reach, Stream, retry},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{io, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
    time::timeout,
};
use webhooks::Vetted;

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "syslog",
    about: "RFC 5424, CEF or LEEF records to a SIEM, over TCP, TLS or UDP",
    build: Syslog::build,
    gathers: false,
};

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
    reach: Reach,
    transport: Transport,
    format: Format,
    own_name: String,
}

impl Syslog {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        options.refuse(true, false, "only sinks of HTTP go by a proxy")?;
        options.refuse(
            false,
            config.transport != Transport::Tls,
            "is shown under TLS alone: set `transport = \"tls\"`",
        )?;
        let default_port = if config.transport == Transport::Tls { 6514 } else { 514 };
        let authority = read_authority(section, config.ca.as_deref())?;
        let reach = Reach::new(&config.address, default_port, &options, authority)
            .map_err(|error| SectionError::new("address", error))?;
        let own_name = hostname::get().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Box::new(Syslog {
            options,
            reach,
            transport: config.transport,
            format: match config.format {
                FormatName::Cef => Format::Cef,
                FormatName::Leef => Format::Leef,
                FormatName::Rfc5424 => Format::Rfc5424,
            },
            own_name,
        }))
    }

    async fn connect(&self, vetted: &Vetted) -> Result<Box<dyn Stream>, SinkError> {
        let stream = self.reach.connect(vetted).await?;
        if self.transport == Transport::Tls { self.reach.secure(vetted, stream).await } else { Ok(Box::new(stream)) }
    }

    /// Sends one counted frame, closes our half, and waits for the receiver to close its own.
    async fn send_stream(&self, line: &str) -> Result<(), SinkError> {
        let vetted = self.reach.vet().await?;
        note("syslog", &format!("{}:{}", self.reach.host, self.reach.port), line.as_bytes());
        let mut stream = self.connect(&vetted).await?;
        let lost = |error: io::Error| retry(format!("{}:{} broke off: {error}", vetted.host, self.reach.port));
        stream.write_all(format!("{} {line}", line.len()).as_bytes()).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        stream.shutdown().await.map_err(lost)?;
        match timeout(CLOSE_TIME, read_to_close(&mut stream)).await {
            Ok(closed) => closed.map_err(lost),
            Err(_) => {
                Err(retry(format!("{}:{} did not close after the record: it may hang", vetted.host, self.reach.port)))
            }
        }
    }

    async fn send_datagram(&self, line: &str) -> Result<(), SinkError> {
        let vetted = self.reach.vet().await?;
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
            .map_err(|_| retry(format!("{}:{} did not take the record in 15 s", self.reach.host, self.reach.port)))??;
        Ok(Receipt { status: None, response: String::new() })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let vetted = self.reach.vet().await?;
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
