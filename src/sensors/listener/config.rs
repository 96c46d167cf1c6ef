//! The keys that every listener takes, and the limits that it keeps.

use crate::domain::section::{Section, SectionError};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

const KEYS: [&str; 4] = ["listen", "tls_cert", "tls_key", "trusted_proxies"];

/// `listen`, `tls_cert`, `tls_key`, `trusted_proxies` of a section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Address and port; port 0 takes a free one.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// PEM file of the certificate chain, read again when it changes.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its private key.
    pub tls_key: Option<PathBuf>,
    /// Networks whose `X-Forwarded-For` or PROXY header names the source; nobody else's does.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
}

impl ListenerConfig {
    /// A listener without TLS and without trusted proxies.
    pub fn plain(listen: SocketAddr) -> Self {
        ListenerConfig { listen, tls_cert: None, tls_key: None, trusted_proxies: Vec::new() }
    }

    /// Reads a listening component's section: the listener's keys, and the component's own, both denying unknown keys.
    /// (`serde(flatten)` would let misspelt keys pass.)
    pub fn read<T: DeserializeOwned>(section: &Section) -> Result<(ListenerConfig, T), SectionError> {
        let mut own = section.clone();
        let mut shared = section.clone();
        own.keys.retain(|key, _| !KEYS.contains(&key));
        shared.keys.retain(|key, _| KEYS.contains(&key));
        let mut config: ListenerConfig = shared.read()?;
        let own = own.read().map_err(|mut error: SectionError| {
            if error.message.starts_with("unknown field") {
                error.message = format!("{}; every listener also takes `{}`", error.message, KEYS.join("`, `"));
            }
            error
        })?;
        for (file, key) in [(&mut config.tls_cert, "tls_cert"), (&mut config.tls_key, "tls_key")] {
            if let Some(path) = file {
                *path = section.path(path);
            } else if shared.keys.contains_key("tls_cert") || shared.keys.contains_key("tls_key") {
                return Err(SectionError::new(key, "tls_cert and tls_key go together: give both or neither"));
            }
        }
        Ok((config, own))
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("expected an address and port such as 0.0.0.0:8701, not {text:?}")))
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| {
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                D::Error::custom(format!("{text:?} is no network: expected an address or one such as 10.0.0.0/8"))
            })
        })
        .collect()
}

/// How much a listener bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one address (a /64 for IPv6); trusted proxies are exempt.
    pub per_address: usize,
    /// Until the first byte of a connection, or the end of its TLS handshake.
    pub first_byte: Duration,
    /// Until the last byte of a request's header, the idle time before it included.
    pub header: Duration,
    /// Until the last byte of a request's body; none where bodies are long by nature.
    pub body: Option<Duration>,
    /// Between two pieces of a body.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 10_000,
            per_address: 256,
            first_byte: Duration::from_secs(10),
            // Whoever dribbles is gone within ten seconds; a form of a few words takes no longer, even over slow relays.
            header: Duration::from_secs(8),
            body: Some(Duration::from_secs(8)),
            pause: Duration::from_secs(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        #[serde(default)]
        title: String,
    }

    fn read(text: &str) -> Result<(ListenerConfig, Own), SectionError> {
        let keys = text.parse().expect("a table");
        ListenerConfig::read(&Section { name: "portal".into(), keys, folder: PathBuf::from("/etc/x") })
    }

    #[test]
    fn own_and_shared_keys_stand_in_one_section() {
        let (config, own) = read(
            "listen = '127.0.0.1:0'\ntitle = 'x'\ntls_cert = 'c.pem'\ntls_key = '/k.pem'\ntrusted_proxies = ['10.0.0.0/8', '::1']",
        )
        .expect("valid");
        assert_eq!(own.title, "x");
        assert_eq!(config.tls_cert, Some(PathBuf::from("/etc/x/c.pem")));
        assert_eq!(config.tls_key, Some(PathBuf::from("/k.pem")));
        assert_eq!(config.trusted_proxies.len(), 2);
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_lists_what_is_known() {
        let error = read("listen = '127.0.0.1:0'\ntitel = 'x'").expect_err("unknown");
        let text = error.to_string();
        assert!(text.contains("titel") && text.contains("title") && text.contains("trusted_proxies"), "{text}");
    }

    #[test]
    fn wrong_values_name_their_key() {
        assert_eq!(read("listen = 'nowhere'").expect_err("no address").key, "listen");
        assert_eq!(read("listen = '127.0.0.1:0'\ntls_cert = 'x'").expect_err("half").key, "tls_key");
        assert!(read("listen = '127.0.0.1:0'\ntrusted_proxies = ['10.0.0.0/99']").is_err());
    }
}
