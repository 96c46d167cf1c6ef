//! The keys that every provider's section takes, and the client that follows from them.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        cloud::client::{Asking, Client, Pass},
        outside::{self, Allowed},
    },
};
use ipnet::IpNet;
use jiff::SignedDuration;
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use std::{net::IpAddr, time::Duration};
use tokio::sync::Mutex;
use webhooks::oauth::Grant;

const KEYS: [&str; 3] = ["every", "allow_private", "url"];

/// `url`, `every` and `allow_private` of a section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    pub url: Option<String>,
    pub every: Option<String>,
    #[serde(default)]
    pub allow_private: Vec<IpNet>,
}

/// The shared keys of a section, and the provider's own; both deny unknown ones.
pub fn read<T: DeserializeOwned>(section: &Section) -> Result<(Shared, T), SectionError> {
    let (mut own, mut shared) = (section.clone(), section.clone());
    own.keys.retain(|key, _| !KEYS.contains(&key));
    shared.keys.retain(|key, _| KEYS.contains(&key));
    let own = own.read().map_err(|mut error: SectionError| {
        if error.message.starts_with("unknown field") {
            error.message = format!("{}; it also takes `{}`", error.message, KEYS.join("`, `"));
        }
        error
    })?;
    Ok((shared.read()?, own))
}

impl Shared {
    /// How often the log is looked at.
    pub fn every(&self) -> Result<Duration, SectionError> {
        let Some(text) = &self.every else { return Ok(Duration::from_secs(60)) };
        let every = text.parse::<SignedDuration>().ok().and_then(|every| Duration::try_from(every).ok());
        every.filter(|every| !every.is_zero()).ok_or_else(|| {
            SectionError::new("every", format!("{text:?} is no duration: expected one such as 60s or 5m"))
        })
    }

    /// The provider's address, or the one that it has for all.
    pub fn base(&self, common: Option<&str>) -> Result<Url, SectionError> {
        let text = self.url.as_deref().or(common);
        let wrong = |why: &str| SectionError::new("url", why.to_owned());
        let text = text.ok_or_else(|| wrong("expected the provider's address, such as https://example.okta.com"))?;
        let url = self.address(text).ok_or_else(|| {
            wrong("expected an https:// address without a path, or http:// with an IP address within allow_private")
        })?;
        if url.path() != "/" || url.query().is_some() {
            return Err(wrong("expected an address without a path: the rest is known"));
        }
        Ok(url)
    }

    /// An address that a secret may be sent to: in plain text only within networks that the operator listed.
    pub fn address(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text.trim()).ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
        let literal: Option<IpAddr> = match url.host()? {
            url::Host::Ipv4(address) => Some(address.into()),
            url::Host::Ipv6(address) => Some(address.into()),
            url::Host::Domain(_) => None,
        };
        let inside = literal.is_some_and(|address| self.allow_private.iter().any(|net| net.contains(&address)));
        (url.scheme() == "https" || (url.scheme() == "http" && inside)).then_some(url)
    }

    /// A client that shows a fixed value.
    pub fn with_value(&self, base: Url, value: &Secret) -> Result<Client, SectionError> {
        self.client(base, Pass::Fixed(value.clone()))
    }

    /// A client that asks for tokens at this address.
    pub fn with_grant(&self, base: Url, grant: Grant, at: Url) -> Result<Client, SectionError> {
        self.client(base, Pass::Asked(Box::new(self.asking(grant, at)?)))
    }

    /// What asks for tokens at this address.
    pub fn asking(&self, grant: Grant, at: Url) -> Result<Asking, SectionError> {
        let allowed = Allowed::new(&at, self.allow_private.clone());
        let asking = outside::client(&allowed).map_err(|error| SectionError::new("url", error))?;
        // Names are vetted as they are resolved; an address in numbers, here.
        if !allowed.literal(&at) {
            return Err(SectionError::new(
                "allow_private",
                "tokens would be asked for at a private address: list its network",
            ));
        }
        Ok(Asking { grant, at, client: asking, kept: Mutex::default() })
    }

    fn client(&self, base: Url, pass: Pass) -> Result<Client, SectionError> {
        let allowed = Allowed::new(&base, self.allow_private.clone());
        let client = outside::client(&allowed).map_err(|error| SectionError::new("url", error))?;
        Ok(Client { client, base, allowed, pass })
    }
}
