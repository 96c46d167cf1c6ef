//! Clients of servers outside that sensors ask: no redirect is followed, no proxy asked, every time is bounded, and a name
//! that leads to a private network is refused unless the operator lists that.

use ipnet::IpNet;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use webhooks::Guard;

/// Which addresses may be reached.
pub struct Allowed {
    guard: Guard,
    localhost: bool,
}

impl Allowed {
    /// Those of the Internet, and of these networks. `localhost` may be this machine where the operator wrote that very name.
    pub fn new(base: &Url, networks: Vec<IpNet>) -> Arc<Allowed> {
        Arc::new(Allowed { guard: Guard::new(networks), localhost: base.host_str() == Some("localhost") })
    }

    /// Whether an address that is written in numbers may be reached. Names are vetted as they are resolved.
    pub fn literal(&self, url: &Url) -> bool {
        match url.host() {
            Some(url::Host::Ipv4(address)) => self.guard.admits(address.into()),
            Some(url::Host::Ipv6(address)) => self.guard.admits(address.into()),
            _ => true,
        }
    }
}

/// A client that reaches these alone.
///
/// # Errors
/// There is no TLS.
pub fn client(allowed: &Arc<Allowed>) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(20))
        .timeout(Duration::from_secs(120))
        .dns_resolver(Arc::new(Vetting(allowed.clone())))
        .build()
        .map_err(|error| format!("no client for HTTPS: {error}"))
}

struct Vetting(Arc<Allowed>);

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let local = allowed.localhost && name.as_str() == "localhost";
            let fits = |address: &SocketAddr| allowed.guard.admits(address.ip()) || local && address.ip().is_loopback();
            if !found.iter().all(fits) {
                return Err("the name leads to a private network: if it is yours, list it in allow_private".into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(base: &str) -> Arc<Allowed> {
        Allowed::new(&Url::parse(base).expect("an address"), vec![])
    }

    #[test]
    fn a_private_address_is_refused_in_every_spelling() {
        let allowed = allowed("http://paste.example.org");
        let admits = |url: &str| allowed.literal(&Url::parse(url).expect("an address"));
        for url in ["http://127.1/", "http://0x0a000001/", "http://[::ffff:10.0.0.1]/", "http://192.88.99.1/"] {
            assert!(!admits(url), "{url}");
        }
        assert!(admits("http://1.1.1.1/") && admits("https://raw.example.org/"));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let resolver = Vetting(allowed("http://paste.example.org"));
        assert!(resolver.resolve("localhost".parse().expect("a name")).await.is_err());
        let own = Vetting(allowed("http://localhost:1"));
        assert!(own.resolve("localhost".parse().expect("a name")).await.is_ok());
    }
}
