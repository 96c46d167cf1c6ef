//! The words of `telltale gate`.

use clap::Subcommand;
use ipnet::IpNet;
use std::{net::SocketAddr, path::PathBuf};
use url::Url;

/// What to do with a filter.
#[derive(Debug, Subcommand)]
pub enum Gate {
    /// Build an endpoint's filter, of every canary and ghost; it holds no name, and is worth nothing without its key
    Build {
        /// The file to make
        #[arg(short, long = "out", value_name = "FILE")]
        out: PathBuf,
        /// The endpoint, which has a key of its own; left out: the file's name without its ending
        #[arg(long, value_name = "NAME")]
        endpoint: Option<String>,
        /// Where to write the endpoint's key, once
        #[arg(long, value_name = "KEYFILE")]
        key_out: Option<PathBuf>,
    },
    /// Which of the user names on standard input, one a line, are canaries'
    Check {
        /// The filter
        file: PathBuf,
        /// The file that holds its key; left out: the one that TELLTALE_GATE_KEY_FILE names, or this data folder's keyring
        #[arg(long, value_name = "KEYFILE")]
        key_file: Option<PathBuf>,
    },
    /// Answer nginx auth_request, Traefik ForwardAuth and Envoy ext_authz beside a login endpoint, without the data folder
    Serve(Box<GateServe>),
}

/// How a verifier stands beside a login endpoint.
#[derive(Debug, clap::Args)]
pub struct GateServe {
    /// The filter; read again when it is replaced
    pub file: PathBuf,
    /// The file that holds its key; left out: the one that TELLTALE_GATE_KEY_FILE names
    #[arg(long, value_name = "KEYFILE")]
    pub key_file: Option<PathBuf>,
    /// Where it listens for the proxy
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8710")]
    pub listen: SocketAddr,
    /// The service's address, whose /api/v1/logins is told of canaries' logins
    #[arg(long, value_name = "URL")]
    pub report: Url,
    /// The file that holds a token of the role ingest; left out: the one that TELLTALE_GATE_TOKEN_FILE names
    #[arg(long, value_name = "TOKENFILE")]
    pub token_file: Option<PathBuf>,
    /// What alerts call the place; left out: the endpoint's name
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// The file in which reports wait while the service is away; without it in memory
    #[arg(long, value_name = "FILE")]
    pub spool: Option<PathBuf>,
    /// User names of the house's own people, one a line, that are never reported: one may bear a ghost's very name
    #[arg(long, value_name = "FILE")]
    pub people: Option<PathBuf>,
    /// The certificate authority (PEM) of the service's certificate, where the system does not know it
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Proxies whose X-Forwarded-For names the visitor
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', default_value = "127.0.0.0/8,::1/128")]
    pub trusted_proxies: Vec<IpNet>,
}
