//! Reads a mailbox that catches all mail of a domain, by IMAP, waiting with IDLE where the server can. For houses whose
//! mail arrives elsewhere. It changes nothing there, sends nothing, and fetches nothing that stands in a mail.

pub mod login;
pub mod poll;
pub mod session;
pub mod wire;

use crate::{
    domain::{
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sensors::{
        mail::contents::House,
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use ipnet::IpNet;
use login::{Keys, Login};
use poll::Poller;
use serde::Deserialize;
use session::{Place, Protection};
use std::{net::IpAddr, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;
use url::{Host, Url};
use webhooks::Guard;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "mailbox", about: "reads a catch-all mailbox by IMAP (IDLE, TLS); changes nothing there", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    user: String,
    password: Option<Secret>,
    tenant: Option<String>,
    client: Option<String>,
    secret: Option<Secret>,
    login: Option<String>,
    service_account: Option<Secret>,
    #[serde(default = "inbox")]
    folder: String,
    every: Option<String>,
    starttls: Option<bool>,
    ca: Option<PathBuf>,
    #[serde(default)]
    allow_private: Vec<IpNet>,
    organisation: Option<String>,
    resolver: Option<String>,
    #[serde(default)]
    own_domains: Vec<String>,
}

fn inbox() -> String {
    "INBOX".to_owned()
}

/// A mailbox that is read.
pub struct Mailbox {
    name: String,
    server: String,
    place: Place,
    every: Duration,
    house: House,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let wrong = |key: &'static str, message: &str| SectionError::new(key, message);
    let expected = "expected imaps://host, or imap://host for STARTTLS; user and password have keys of their own";
    let url = Url::parse(config.url.reveal()).map_err(|_| wrong("url", expected))?;
    let bare = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
    let (implicit, standard) = match url.scheme() {
        "imaps" => (true, 993),
        "imap" => (false, 143),
        _ => return Err(wrong("url", expected)),
    };
    let host = url.host_str().filter(|host| bare && !host.is_empty() && url.query().is_none());
    let host = host.and_then(|host| Host::parse(host).ok()).ok_or_else(|| wrong("url", expected))?;
    let protection = match (implicit, config.starttls) {
        (true, None) => Protection::Tls,
        (true, Some(_)) => return Err(wrong("starttls", "imaps:// is TLS from the first byte: leave it out")),
        (false, None | Some(true)) => Protection::StartTls,
        (false, Some(false)) => {
            let literal: Option<IpAddr> = match &host {
                Host::Ipv4(address) => Some((*address).into()),
                Host::Ipv6(address) => Some((*address).into()),
                Host::Domain(_) => None,
            };
            let inside = literal.is_some_and(|address| config.allow_private.iter().any(|net| net.contains(&address)));
            if !inside {
                let message = "the password would travel in clear: without STARTTLS url must be an IP address within allow_private";
                return Err(wrong("starttls", message));
            }
            Protection::Plain
        }
    };
    let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable(&config.folder) {
        return Err(wrong(
            "folder",
            "expected the folder's name as IMAP writes it: printable ASCII, other letters in modified UTF-7",
        ));
    }
    let lines = |text: &str| text.contains(['\r', '\n', '\0']);
    if config.user.is_empty() || lines(&config.user) {
        return Err(wrong("user", "expected the name that the mailbox is opened with"));
    }
    let keys = Keys {
        password: config.password,
        tenant: config.tenant,
        client: config.client,
        secret: config.secret,
        login: config.login,
        service_account: config.service_account,
    };
    let login = Login::new(keys, &config.user, &config.allow_private)?;
    let every = match config.every.as_deref().map(str::parse::<jiff::SignedDuration>) {
        None => Duration::from_secs(60),
        Some(Ok(every)) if every.is_positive() => every.unsigned_abs(),
        Some(_) => return Err(wrong("every", "expected a duration such as \"60s\"")),
    };
    let authority = config.ca.map(|path| {
        let path = section.path(&path);
        std::fs::read(&path).map_err(|error| SectionError::new("ca", format!("{}: {}", path.display(), error.kind())))
    });
    let authority = authority.transpose()?;
    if let Some(pem) = &authority {
        webhooks::trusted_certificates(Some(pem)).map_err(|error| SectionError::new("ca", error.to_string()))?;
    }
    let place = Place {
        host,
        port: url.port().unwrap_or(standard),
        protection,
        guard: Guard::new(config.allow_private),
        authority,
        user: config.user,
        login,
        folder: config.folder,
    };
    let house = House::new(config.organisation.as_deref().unwrap_or_default(), &config.own_domains);
    let house = house.asking(config.resolver.as_deref())?;
    Ok(Box::new(Mailbox { name: section.name.clone(), server: config.url.host(), place, every, house }))
}

#[async_trait]
impl Sensor for Mailbox {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let Mailbox { name, server, place, every, house } = *self;
        let poller = Poller { sensor: name, server, place, every, house, reporter };
        Ok(Running { address: None, task: tokio::spawn(poller.run(stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        match tokio::time::timeout(Duration::from_secs(30), self.place.open()).await {
            Ok(Ok(session)) => {
                session.close().await;
                Ok(())
            }
            Ok(Err(error)) => anyhow::bail!("{}: {error}", self.server),
            Err(_) => anyhow::bail!("{}: no answer in 30 s: check url and network", self.server),
        }
    }
}
