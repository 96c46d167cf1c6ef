//! The address guard: which receivers may be reached. A name is resolved once, *every* address is vetted, and the
//! caller connects to the vetted addresses and to no other, so that a name that answers differently the second time
//! gains nothing. Private receivers are refused unless the operator lists them.

use async_trait::async_trait;
use ipnet::IpNet;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use url::{Host, Url};

const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// Networks of IPv4 that are not the Internet.
const NOT_GLOBAL: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The one network of IPv6 that is the Internet …
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// … but for these: protocol assignments with Teredo, documentation, 6to4. Mapped, NAT64 and SRv6 lie outside.
const NOT_GLOBAL_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Resolves names. The service uses `SystemLookup`; tests put their own answers in.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Every address of the name.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a receiver is not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither http nor https, or without a host.
    #[error("{0}")]
    Address(String),
    /// The configured address is itself a private one.
    #[error(
        "the receiver {0} is not on the Internet: if it is yours, list its network, as allow_private = [\"{0}/{len}\"]",
        len = if .0.is_ipv4() { 32 } else { 128 }
    )]
    Private(IpAddr),
    /// A name answers with a private address, now: it may be mended, or someone plays with the name.
    #[error(
        "the receiver {name} resolves to {address}, which is not on the Internet: if it is yours, list its network under allow_private"
    )]
    PrivateName { name: String, address: IpAddr },
    /// The name has no address, now.
    #[error("the receiver's name {name} could not be resolved ({why}): check the name and the resolver")]
    Unresolved { name: String, why: String },
}

/// A receiver whose every address was vetted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vetted {
    /// The name or address as normalised: what TLS must prove.
    pub host: String,
    /// Where to connect, and nowhere else.
    pub addresses: Vec<SocketAddr>,
}

/// Knows which private networks the operator allows.
#[derive(Clone)]
pub struct Guard {
    allow_private: Vec<IpNet>,
    lookup: Arc<dyn Lookup>,
}

impl Guard {
    /// Admits the Internet and these networks.
    pub fn new(allow_private: Vec<IpNet>) -> Self {
        Guard::with_lookup(allow_private, Arc::new(SystemLookup))
    }

    /// The same, with another resolver.
    pub fn with_lookup(allow_private: Vec<IpNet>, lookup: Arc<dyn Lookup>) -> Self {
        Guard { allow_private, lookup }
    }

    /// Whether this address may be connected to.
    pub fn admits(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        self.allow_private.iter().any(|net| net.contains(&address) || net.contains(&canonical)) || is_global(address)
    }

    /// Vets a URL's receiver: http or https only.
    pub async fn vet_url(&self, url: &Url) -> Result<Vetted, Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Address(format!(
                "{} addresses are not spoken: give http:// or https://",
                url.scheme()
            )));
        }
        let port = url.port_or_known_default().unwrap_or(443);
        match url.host() {
            Some(host) => self.vet(host.to_owned(), port).await,
            None => Err(Refusal::Address("the address names no host".to_owned())),
        }
    }

    /// Resolves once and vets every address.
    pub async fn vet(&self, host: Host<String>, port: u16) -> Result<Vetted, Refusal> {
        let literal = |address: IpAddr| match self.admits(address) {
            true => Ok(Vetted { host: address.to_string(), addresses: vec![SocketAddr::new(address, port)] }),
            false => Err(Refusal::Private(address)),
        };
        let name = match host {
            Host::Ipv4(address) => return literal(address.into()),
            Host::Ipv6(address) => return literal(address.into()),
            Host::Domain(name) => name,
        };
        let unresolved = |why: &str| Refusal::Unresolved { name: name.clone(), why: why.to_owned() };
        let addresses = tokio::time::timeout(LOOKUP_TIME, self.lookup.lookup(&name))
            .await
            .map_err(|_| unresolved("the resolver did not answer in 5 s"))?
            .map_err(|error| unresolved(&error.to_string()))?;
        if addresses.is_empty() {
            return Err(unresolved("it has no address"));
        }
        if let Some(&address) = addresses.iter().find(|&&address| !self.admits(address)) {
            return Err(Refusal::PrivateName { name, address });
        }
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Ok(Vetted { host: name, addresses })
    }
}

/// Reads `host`, `host:port`, `[v6]:port`; decimal and octal spellings of an address become that address.
pub fn split_host_port(text: &str, default_port: u16) -> Result<(Host<String>, u16), Refusal> {
    let expected = || Refusal::Address("expected host:port, as siem.example.org:6514 or [2001:db8::1]:6514".to_owned());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let port = if host.len() == text.len() { default_port } else { port.parse().map_err(|_| expected())? };
    let host = Host::parse(host).map_err(|_| expected())?;
    if port == 0 || matches!(&host, Host::Domain(name) if name.is_empty()) {
        return Err(expected());
    }
    Ok((host, port))
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let bits = u32::from(v4);
            !NOT_GLOBAL.iter().any(|&(net, len)| (bits ^ u32::from(net)) >> (32 - len) == 0)
        }
        IpAddr::V6(v6) => {
            let within = |(net, len): (Ipv6Addr, u8)| (u128::from(v6) ^ u128::from(net)) >> (128 - len) == 0;
            within(GLOBAL_V6) && !NOT_GLOBAL_V6.iter().any(|&net| within(net))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Answers(Vec<Vec<&'static str>>, AtomicUsize);

    #[async_trait]
    impl Lookup for Answers {
        async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let turn = self.1.fetch_add(1, Ordering::SeqCst);
            Ok(self.0[turn.min(self.0.len() - 1)].iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    fn answering(answers: &[&[&'static str]]) -> Guard {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Guard::with_lookup(vec![], Arc::new(Answers(answers, AtomicUsize::new(0))))
    }

    #[test]
    fn only_the_internet_is_admitted() {
        let guard = Guard::new(vec![]);
        let refused = "127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 169.254.169.254 172.16.0.1 \
            172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 \
            224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 \
            64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 fc00::1 \
            fd00::1 fe80::1 fec0::1 ff02::1";
        for text in refused.split_whitespace() {
            assert!(!guard.admits(text.parse().unwrap()), "{text}");
        }
        for text in
            "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.0 \
            198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 2001:4860:4860::8888 2003::1"
                .split_whitespace()
        {
            assert!(guard.admits(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn listed_networks_are_admitted_in_every_spelling() {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for text in ["127.0.0.1", "::ffff:127.0.0.1", "fd12::1"] {
            assert!(guard.admits(text.parse().unwrap()), "{text}");
        }
        for text in ["10.0.0.1", "::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(!guard.admits(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn no_spelling_of_a_url_gets_by() {
        let guard = Guard::new(vec![]);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://1.1.1.1@127.0.0.1/",
            "http://1.1.1.1:80@127.0.0.1/",
            "http://127.0.0.1#@1.1.1.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://0/",
            "http://0.0.0.0:8700/",
            "https://10.1.2.3/",
            "http://169.254.169.254/latest/meta-data/",
            "http://①②⑦.⓪.⓪.①/",
            "http://[64:ff9b::7f00:1]/",
            "http://[fd00::1]/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
        ] {
            let refusal = guard.vet_url(&Url::parse(url).unwrap()).await.unwrap_err();
            assert!(matches!(refusal, Refusal::Private(_)), "{url}: {refusal:?}");
            assert!(refusal.to_string().contains("allow_private"));
        }
        for url in ["file:///etc/passwd", "ftp://1.1.1.1/", "gopher://1.1.1.1/", "unix:/run/x"] {
            let refusal = guard.vet_url(&Url::parse(url).unwrap()).await.unwrap_err();
            assert!(matches!(refusal, Refusal::Address(_)), "{url}: {refusal:?}");
        }
        let localhost = guard.vet_url(&Url::parse("http://localhost/").unwrap()).await.unwrap_err();
        assert!(matches!(localhost, Refusal::PrivateName { .. } | Refusal::Unresolved { .. }), "{localhost:?}");
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_refuses_all() {
        let guard = answering(&[&["1.1.1.1", "10.0.0.1"]]);
        let refusal = guard.vet(Host::Domain("mixed.example".into()), 443).await.unwrap_err();
        assert!(matches!(refusal, Refusal::PrivateName { .. }), "{refusal:?}");
    }

    #[tokio::test]
    async fn a_name_that_changes_its_answer_is_vetted_each_time_and_pinned() {
        let guard = answering(&[&["1.1.1.1"], &["127.0.0.1"], &[]]);
        let vetted = guard.vet(Host::Domain("flip.example".into()), 443).await.unwrap();
        assert_eq!(vetted.addresses, ["1.1.1.1:443".parse().unwrap()]);
        let again = guard.vet(Host::Domain("flip.example".into()), 443).await.unwrap_err();
        assert!(matches!(again, Refusal::PrivateName { .. }));
        let gone = guard.vet(Host::Domain("flip.example".into()), 443).await.unwrap_err();
        assert!(matches!(gone, Refusal::Unresolved { .. }));
    }

    #[test]
    fn host_and_port_are_split() {
        let split = |text| split_host_port(text, 514).map(|(host, port)| (host.to_string(), port));
        assert_eq!(split("siem.example.org:6514"), Ok(("siem.example.org".into(), 6514)));
        assert_eq!(split("siem.example.org"), Ok(("siem.example.org".into(), 514)));
        assert_eq!(split("[::1]:6514"), Ok(("[::1]".into(), 6514)));
        assert_eq!(split("[::1]"), Ok(("[::1]".into(), 514)));
        assert_eq!(split("2130706433:99"), Ok(("127.0.0.1".into(), 99)));
        for wrong in ["", ":514", "::1", "a b:514", "host:", "host:0", "host:65536", "host:x", "http://host:514"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
