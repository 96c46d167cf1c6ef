//! The keys that every sink takes beside its own. They are read apart, so that each sink's own struct still denies
//! unknown keys.

use crate::{
    domain::{
        incident::Severity,
        reason::reason,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::shape::hours::Hours,
};
use canaries::MarkerKind;
use ipnet::IpNet;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;
use webhooks::Identity;

/// The keys of a sink's section that every sink knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether this sink is given markers' values.
    pub reveal: bool,
    /// The name of the sink that takes over while this one fails.
    pub then: Option<String>,
    /// Whether this sink gets only what another hands over; unset: where another names it as its `then`.
    pub standby: Option<bool>,
    /// How long nothing may arrive, though it was tried, before this sink counts as failing.
    #[serde(deserialize_with = "duration")]
    pub failing_after: Duration,
    /// Whether the daily test alert goes there.
    pub heartbeat: bool,
    /// How long alerts are gathered for one digest; unset: each leaves at once.
    #[serde(deserialize_with = "some_duration")]
    pub digest: Option<Duration>,
    /// Incidents as severe as this leave at once in spite of the digest; unset: high.
    pub immediate: Option<Severity>,
    /// Only incidents as severe as this, or more.
    pub severity: Option<Severity>,
    /// Only incidents of one of these stores; empty: of any.
    pub stores: Vec<String>,
    /// Only where a marker of one of these kinds was touched; empty: of any.
    pub kinds: Vec<MarkerKind>,
    /// Only at these hours of the organisation's time; empty: always.
    pub hours: Vec<Hours>,
    /// Networks that are not the Internet and that receivers may be in.
    pub allow_private: Vec<IpNet>,
    /// The proxy that receivers are reached by.
    pub proxy: Option<Address>,
    /// A certificate, and its key, for receivers that ask for one.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<Secret>,
    /// The two, as read.
    #[serde(skip)]
    pub identity: Option<Identity>,
}

impl Default for Options {
    fn default() -> Self {
        Options::NONE
    }
}

impl Options {
    /// What holds where nothing is said.
    pub const NONE: Options = Options {
        reveal: false,
        then: None,
        standby: None,
        failing_after: Duration::from_secs(600),
        heartbeat: true,
        digest: None,
        immediate: None,
        severity: None,
        stores: Vec::new(),
        kinds: Vec::new(),
        hours: Vec::new(),
        allow_private: Vec::new(),
        proxy: None,
        client_cert: None,
        client_key: None,
        identity: None,
    };

    /// Their names in the configuration.
    pub const KEYS: [&str; 15] = [
        "reveal",
        "then",
        "standby",
        "failing_after",
        "heartbeat",
        "digest",
        "immediate",
        "severity",
        "stores",
        "kinds",
        "hours",
        "allow_private",
        "proxy",
        "client_cert",
        "client_key",
    ];

    /// The first key that keeps an alert away from this sink, if there is one.
    pub fn route(&self) -> Option<&'static str> {
        let keys = [
            ("severity", self.severity.is_some()),
            ("stores", !self.stores.is_empty()),
            ("kinds", !self.kinds.is_empty()),
            ("hours", !self.hours.is_empty()),
        ];
        keys.into_iter().find(|(_, given)| *given).map(|(key, _)| key)
    }

    /// The proxy's address.
    pub fn proxy(&self) -> Result<Option<Url>, SectionError> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let url = Url::parse(proxy.reveal().trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let wrong = || SectionError::new("proxy", "expected http://host:port or https://host:port");
        Ok(Some(url.filter(|url| url.host().is_some()).ok_or_else(wrong)?))
    }

    /// The certificate and its key as they were read, for a library that reads them itself.
    pub fn identity_pem(&self, section: &Section) -> Result<Option<(Vec<u8>, Secret)>, SectionError> {
        let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) else { return Ok(None) };
        Ok(Some((pem("client_cert", section, certificate)?, key.clone())))
    }

    /// Refuses what would mean nothing at this sink, rather than seem to hold.
    pub fn refuse(&self, proxy: bool, identity: bool, why: &str) -> Result<(), SectionError> {
        match (proxy && self.proxy.is_some(), identity && self.identity.is_some()) {
            (true, _) => Err(SectionError::new("proxy", why)),
            (_, true) => Err(SectionError::new("client_cert", why)),
            _ => Ok(()),
        }
    }
}

/// Reads the certificate that receivers are shown, with its key.
fn identity(section: &Section, options: &Options) -> Result<Option<Identity>, SectionError> {
    let (certificate, key) = match (&options.client_cert, &options.client_key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => return Err(SectionError::new("client_key", "is missing beside `client_cert`")),
        (None, Some(_)) => return Err(SectionError::new("client_cert", "is missing beside `client_key`")),
    };
    let pem = pem("client_cert", section, certificate)?;
    let identity = Identity::from_pem(&pem, key.reveal().as_bytes());
    identity.map(Some).map_err(|error| SectionError::new("client_cert", error.to_string()))
}

fn pem(key: &str, section: &Section, path: &Path) -> Result<Vec<u8>, SectionError> {
    let path = section.path(path);
    std::fs::read(&path).map_err(|error| {
        SectionError::new(key, format!("cannot read {}: {}; a PEM file is expected", path.display(), reason(&error)))
    })
}

/// From a second to a week, as `90s`, `10m` or `1h 30m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration
        .filter(|duration| (1..=7 * 24 * 3600).contains(&duration.as_secs()))
        .ok_or_else(|| D::Error::custom("expected a duration such as \"90s\", \"10m\" or \"1h\", at most \"168h\""))
}

/// The same for a key that may be left out.
fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Reads a sink's section into the options of all sinks, and the struct of its own.
pub fn read<T: DeserializeOwned>(section: &Section) -> Result<(Options, T), SectionError> {
    let (shared, own) = section.keys.clone().into_iter().partition(|(key, _)| Options::KEYS.contains(&key.as_str()));
    let mut options: Options = Section { keys: shared, ..section.clone() }.read()?;
    options.identity = identity(section, &options)?;
    let own = Section { keys: own, ..section.clone() }.read().map_err(|mut error| {
        if error.message.contains("unknown field") {
            error.message.push_str(&format!(" (any sink: `{}`)", Options::KEYS.join("`, `")));
        }
        error
    })?;
    Ok((options, own))
}

/// Reads the authority's certificate that a section's `ca` names.
pub fn read_authority(section: &Section, ca: Option<&Path>) -> Result<Option<Vec<u8>>, SectionError> {
    let Some(ca) = ca else { return Ok(None) };
    let pem = pem("ca", section, ca)?;
    webhooks::trusted_certificates(Some(&pem))
        .map_err(|error| SectionError::new("ca", format!("{}: {error}", section.path(ca).display())))?;
    Ok(Some(pem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        url: String,
    }

    fn read_text(text: &str) -> Result<(Options, Own), SectionError> {
        read(&Section { name: "soc".into(), keys: toml::from_str(text).unwrap(), folder: PathBuf::new() })
    }

    #[test]
    fn shared_and_own_keys_are_told_apart() {
        let (options, own) =
            read_text("url = 'u'\nreveal = true\nthen = 'mail'\nfailing_after = '2m'\nallow_private = ['127.0.0.0/8']")
                .unwrap();
        assert_eq!((own.url.as_str(), options.failing_after), ("u", Duration::from_secs(120)));
        assert!(options.reveal);
        assert_eq!(options.then.as_deref(), Some("mail"));
        assert_eq!(options.allow_private, ["127.0.0.0/8".parse::<IpNet>().unwrap()]);
        assert_eq!(read_text("url = 'u'").unwrap().0, Options::NONE);
    }

    #[test]
    fn an_unknown_or_wrong_key_is_named() {
        let error = read_text("url = 'u'\ncolour = 'red'").unwrap_err().to_string();
        assert!(error.contains("colour") && error.contains("url") && error.contains("allow_private"), "{error}");
        let error = read_text("url = 'u'\nallow_private = ['localhost']").unwrap_err();
        assert!(error.key.starts_with("allow_private"), "{error}");
        for text in ["soon", "0s", "-5m", "10", "9999h"] {
            let error = read_text(&format!("url = 'u'\nfailing_after = '{text}'")).unwrap_err();
            assert!(error.key == "failing_after" && error.message.contains("10m"), "{text}: {error}");
        }
    }
}
