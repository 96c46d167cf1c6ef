//! The configuration: one TOML file, overlaid by the environment, with secrets read from where it names them.
//! Components read their own sections; nothing here knows what is in them.

pub mod lines;
pub mod load;
pub mod often;
pub mod owned;
pub mod secrets;

use crate::{
    domain::{secret::Secret, section::Section},
    ledger::engine::Kind,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Everything the operator configured.
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Its folder, where relative paths start.
    pub folder: PathBuf,
    pub organisation: Organisation,
    pub data: Data,
    pub api: Api,
    pub dns: Dns,
    pub ledger: Ledger,
    pub timestamps: Timestamps,
    pub witness: Witness,
    pub patrol: Patrol,
    pub rotate: Rotate,
    pub heartbeat: Heartbeat,
    /// The master key, as its source gave it; none before `init`.
    pub master_key: Option<Secret>,
    /// Where the master key is to be made by `init`, if it is a file.
    pub master_key_file: Option<PathBuf>,
    pub stores: Vec<Component>,
    pub sensors: Vec<Component>,
    pub sinks: Vec<Component>,
    /// Values that came from outside the file, and so are no literals.
    pub read: std::collections::HashSet<String>,
    pub allow_literal_secrets: bool,
    /// Finds the line of a key, for errors.
    pub lines: lines::Lines,
}

/// One `[[stores]]`, `[[sensors]]` or `[[sinks]]`.
#[derive(Clone)]
pub struct Component {
    /// `stores`, `sensors` or `sinks`.
    pub room: &'static str,
    /// Its place among those, from 0.
    pub place: usize,
    pub kind: String,
    pub section: Section,
}

/// `[organisation]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    pub name: String,
    #[serde(default = "fr_fr")]
    pub locale: String,
    #[serde(default = "utc")]
    pub time_zone: String,
    #[serde(default)]
    pub alias_domains: Vec<String>,
    /// Further mail domains of its own: whoever writes in its name from elsewhere poses as it.
    #[serde(default)]
    pub domains: Vec<String>,
    #[serde(default = "hundred_thousand")]
    pub ghosts: u32,
    #[serde(default = "two_copies")]
    pub coded: u32,
    #[serde(default = "sixty")]
    pub everywhere: u32,
    #[serde(default)]
    pub phone_numbers: Vec<String>,
    #[serde(default)]
    pub ibans: Vec<String>,
}

/// `[data]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    #[serde(default = "data_dir")]
    pub dir: PathBuf,
}

/// `[api]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    #[serde(default = "api_listen")]
    pub listen: String,
    /// Only logins, mail and sms, for senders outside.
    #[serde(default)]
    pub ingest_listen: Option<String>,
    /// Where people reach the API and console: for links in alerts.
    #[serde(default)]
    pub public_url: Option<String>,
    #[serde(default)]
    pub tls_cert: Option<PathBuf>,
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    #[serde(default)]
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// `[dns]`: for `check`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Who is asked; none: the servers that the system uses.
    #[serde(default)]
    pub servers: Vec<NameServer>,
    /// Where the world reaches this machine, if not at an address of its own.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

/// A name server: `9.9.9.9`, or `127.0.0.1:5353`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameServer(pub SocketAddr);

impl<'de> Deserialize<'de> for NameServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let server = text.parse().or_else(|_| text.parse().map(|address: IpAddr| SocketAddr::new(address, 53)));
        server.map(NameServer).map_err(|_| {
            D::Error::custom(format!(
                "{text:?} is no name server: expected an address such as 9.9.9.9 or 127.0.0.1:5353"
            ))
        })
    }
}

/// `[ledger]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    #[serde(default)]
    pub engine: Kind,
}

/// `[timestamps]`: who stamps the journal's checkpoints with the time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamps {
    /// The authority's address; none: nobody stamps. A secret if it bears a password, so it is read where it is used.
    #[serde(default)]
    pub url: Option<String>,
    /// The certificates (PEM) that its stamps must lead to.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    #[serde(default = "often::hour", deserialize_with = "often::read")]
    pub every: std::time::Duration,
    /// Networks that are not the Internet and that it may be in.
    #[serde(default)]
    pub allow_private: Vec<ipnet::IpNet>,
}

/// `[witness]`: who cosigns them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The witness's submission prefix; none: nobody cosigns. A secret if it bears a password, so it is read where it is used.
    #[serde(default)]
    pub url: Option<String>,
    /// Its public key for cosignatures, as signed notes write it.
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default = "often::hour", deserialize_with = "often::read")]
    pub every: std::time::Duration,
    /// Networks that are not the Internet and that it may be in.
    #[serde(default)]
    pub allow_private: Vec<ipnet::IpNet>,
}

/// `[patrol]`: how often `serve` reads the stores back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patrol {
    /// None: never by itself.
    #[serde(default = "often::day", deserialize_with = "often::read_unless_off")]
    pub every: Option<std::time::Duration>,
}

/// `[rotate]`: how often stores change by themselves, under `serve`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// A new generation of canaries in every store.
    #[serde(default, deserialize_with = "often::read_some")]
    pub every: Option<std::time::Duration>,
    /// Each canary's next salary, title, superior or telephone.
    #[serde(default, deserialize_with = "often::read_some")]
    pub attributes: Option<std::time::Duration>,
}

/// `[heartbeat]`: how the house tells that it lives.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The hour of the daily test alert; none: there is no such alert.
    #[serde(default = "often::eight", deserialize_with = "often::read_hour")]
    pub daily: Option<jiff::civil::Time>,
    /// Who is to hear from us all the while. It is itself the key, so it is read where it is used.
    #[serde(default)]
    pub ping: Option<String>,
    #[serde(default)]
    pub method: PingMethod,
    #[serde(default = "often::minute", deserialize_with = "often::read")]
    pub every: std::time::Duration,
    /// Networks that are not the Internet and that it may be in.
    #[serde(default)]
    pub allow_private: Vec<ipnet::IpNet>,
}

/// How the ping is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PingMethod {
    #[default]
    Get,
    Post,
}

/// What is wrong with the configuration: where, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}:{line}: {key}: {message}")]
    Key { file: String, line: usize, key: String, message: String },
    #[error("{file}: {message}")]
    File { file: String, message: String },
    #[error("environment variable {name}: {message}")]
    Environment { name: String, message: String },
}

impl Config {
    /// An error about one key of one component, with its line.
    pub fn component_error(&self, component: &Component, key: &str, message: impl Into<String>) -> ConfigError {
        let place = component.place.to_string();
        let mut path = vec![component.room, place.as_str()];
        path.extend(key.split('.').filter(|part| !part.is_empty() && *part != "."));
        let shown = format!("{} {:?}: {key}", component.room, component.section.name);
        ConfigError::Key {
            file: self.file.display().to_string(),
            line: self.lines.of(&path),
            key: shown,
            message: message.into(),
        }
    }
}

fn fr_fr() -> String {
    "fr_FR".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

fn hundred_thousand() -> u32 {
    100_000
}

/// So many that what two stores have in common gives both away.
fn two_copies() -> u32 {
    132
}

fn sixty() -> u32 {
    60
}

fn data_dir() -> PathBuf {
    PathBuf::from("data")
}

fn api_listen() -> String {
    "127.0.0.1:8700".to_owned()
}
