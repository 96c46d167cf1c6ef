//! Asks name servers what the world is told: mail exchangers and addresses, within a few seconds. It judges nothing, and
//! this machine's own hosts file, which nobody else reads, does not count.

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
    system_conf::read_system_conf,
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// One try with one server; there are two.
const TRY: Duration = Duration::from_secs(2);
/// One question, whatever comes of it.
const QUESTION: Duration = Duration::from_secs(5);

/// What came of a question.
pub enum Answer<T> {
    Found(T),
    /// A name server says that there is nothing of the kind.
    Missing,
    /// Nobody could be asked: why.
    Silent(String),
}

/// The name servers.
pub struct Names {
    resolver: Result<TokioResolver, String>,
}

impl Names {
    /// These servers; without any, those that the system uses.
    pub fn new(servers: &[SocketAddr]) -> Names {
        Names { resolver: resolver(servers) }
    }

    /// The mail exchangers of a domain, most preferred first, with their preference.
    pub async fn exchangers(&self, domain: &str) -> Answer<Vec<(u16, String)>> {
        let lookup = async |resolver: &TokioResolver, name: Name| resolver.lookup(name, RecordType::MX).await;
        let found = match self.ask(domain, lookup).await {
            Answer::Found(found) => found,
            Answer::Missing => return Answer::Missing,
            Answer::Silent(why) => return Answer::Silent(why),
        };
        let exchanger = |data: &RData| match data {
            RData::MX(mx) => Some((mx.preference, mx.exchange.to_utf8().trim_end_matches('.').to_owned())),
            _ => None,
        };
        let mut exchangers: Vec<_> = found.answers().iter().filter_map(|record| exchanger(&record.data)).collect();
        exchangers.sort();
        if exchangers.is_empty() { Answer::Missing } else { Answer::Found(exchangers) }
    }

    /// Every address of a host, of both families.
    pub async fn addresses(&self, host: &str) -> Answer<Vec<IpAddr>> {
        match self.ask(host, async |resolver: &TokioResolver, name: Name| resolver.lookup_ip(name).await).await {
            Answer::Found(found) => Answer::Found(found.iter().collect()),
            Answer::Missing => Answer::Missing,
            Answer::Silent(why) => Answer::Silent(why),
        }
    }

    async fn ask<T>(&self, name: &str, lookup: impl AsyncFn(&TokioResolver, Name) -> Result<T, NetError>) -> Answer<T> {
        let resolver = match &self.resolver {
            Ok(resolver) => resolver,
            Err(why) => return Answer::Silent(why.clone()),
        };
        // From the root, so that no search domain of this machine is tried.
        let Ok(name) = Name::from_utf8(format!("{}.", name.trim_end_matches('.'))) else {
            return Answer::Silent("this is no domain name".to_owned());
        };
        match tokio::time::timeout(QUESTION, lookup(resolver, name)).await {
            Ok(Ok(found)) => Answer::Found(found),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none))))
                if [ResponseCode::NXDomain, ResponseCode::NoError].contains(&none.response_code) =>
            {
                Answer::Missing
            }
            Ok(Err(NetError::Dns(DnsError::ResponseCode(code)))) => {
                Answer::Silent(format!("the name server answers: {code}"))
            }
            Ok(Err(NetError::Timeout)) | Err(_) => Answer::Silent("no name server answers in time".to_owned()),
            Ok(Err(error)) => Answer::Silent(format!("no name server answers: {error}")),
        }
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let (config, mut options) = if servers.is_empty() {
        read_system_conf().map_err(|error| format!("/etc/resolv.conf names no name server: {error}"))?
    } else {
        let servers = servers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            NameServerConfig::new(server.ip(), true, connections)
        });
        (ResolverConfig::from_parts(None, Vec::new(), servers.collect()), ResolverOpts::default())
    };
    if config.name_servers.is_empty() {
        return Err("/etc/resolv.conf names no name server".to_owned());
    }
    options.timeout = TRY;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| format!("name servers cannot be asked: {error}"))
}
