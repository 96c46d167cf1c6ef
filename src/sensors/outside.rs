//! Clients of servers outside that sensors ask: no redirect is followed, no proxy asked, every time is bounded, and a name
//! that leads to a private network is refused unless the operator lists that.

use ipnet::IpNet;
use jiff::Timestamp;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, RETRY_AFTER},
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

/// How long an answer asks us to wait, and no longer than `longest`: `Retry-After`, or the time at which we may ask again, as
/// Okta, GitHub and GitLab tell it.
pub fn wait(headers: &HeaderMap, now: Timestamp, longest: Duration) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    let after = text(RETRY_AFTER.as_str()).and_then(|text| match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(until(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())),
    });
    let reset = || {
        let told = ["x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset"].into_iter().find_map(text)?;
        Some(until(Timestamp::from_second(told.parse().ok()?).ok()?) + Duration::from_secs(1))
    };
    after.or_else(reset).map(|wait| wait.min(longest))
}

/// Whether a refusal says that a limit is reached, and not that something is forbidden.
pub fn at_the_limit(headers: &HeaderMap) -> bool {
    let none_left = |name: &str| headers.get(name).is_some_and(|left| left == "0");
    headers.contains_key(RETRY_AFTER) || none_left("x-ratelimit-remaining") || none_left("ratelimit-remaining")
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

    #[test]
    fn we_wait_as_long_as_we_are_asked_to_and_no_longer_than_an_hour() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let told = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            pairs.iter().for_each(|(name, value)| drop(headers.insert(*name, value.parse().unwrap())));
            wait(&headers, now, Duration::from_secs(3600)).map(|wait| wait.as_secs())
        };
        assert_eq!(told(&[("retry-after", "7")]), Some(7));
        assert_eq!(told(&[("x-rate-limit-reset", "1000030")]), Some(31));
        assert_eq!(told(&[("x-rate-limit-reset", "999000")]), Some(1));
        assert_eq!(told(&[("x-ratelimit-reset", "1000030"), ("x-ratelimit-remaining", "0")]), Some(31));
        assert_eq!(told(&[("ratelimit-reset", "1000010")]), Some(11));
        assert_eq!(told(&[("retry-after", "99999999")]), Some(3600));
        assert_eq!(told(&[("retry-after", "Mon, 12 Jan 1970 13:46:50 GMT")]), Some(10));
        assert_eq!((told(&[]), told(&[("retry-after", "soon")])), (None, None));
    }
}
