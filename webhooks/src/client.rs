//! One guarded request: the address is vetted and pinned, no redirect is followed, no proxy asked but the operator's own, the
//! time is bounded as a whole, and only the start of the answer is read. Errors never show the URL, whose path may be the key.

use crate::{
    guard::{Guard, Refusal, Vetted},
    tls::{Identity, TlsError, connect_tls, tls_config},
};
use reqwest::redirect::Policy;
use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{net::TcpStream, time::Instant};
use url::{Host, Url};

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TOTAL_TIME: Duration = Duration::from_secs(15);
const MOST_OF_AN_ANSWER: usize = 16 * 1024;

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    Post,
    Put,
    Patch,
    /// To ask after what was posted.
    Get,
}

impl Method {
    /// As it is written in a request.
    pub fn name(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Get => "GET",
        }
    }
}

/// What the receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Its own wish, in seconds or as a date.
    pub retry_after: Option<Duration>,
    /// The start of its body, as text: at most 16 kB, or as much as the client keeps.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The address guard refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The operator's authority cannot be used.
    #[error("ca: {0}")]
    Tls(#[from] TlsError),
    /// Refused, reset, a bad certificate, or not HTTP.
    #[error("{host} could not be reached: {why}")]
    Unreachable { host: String, why: String },
    /// The time for one attempt was used up.
    #[error("{host} did not answer in {} s", .after.as_secs())]
    TimedOut { host: String, after: Duration },
}

/// Posts to the receivers that its guard admits.
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    authority: Option<Vec<u8>>,
    identity: Option<Identity>,
    proxy: Option<Url>,
    connect_time: Duration,
    total_time: Duration,
    most: usize,
    /// What the last attempt was made with: reading the system's authorities takes longer than posting.
    made: Made,
}

type Made = Arc<Mutex<Option<(Vetted, reqwest::Client)>>>;

impl Client {
    /// Trusts the system's authorities, or only the one in `authority` (PEM).
    pub fn new(guard: Guard, authority: Option<Vec<u8>>) -> Self {
        Client {
            guard,
            authority,
            identity: None,
            proxy: None,
            connect_time: CONNECT_TIME,
            total_time: TOTAL_TIME,
            most: MOST_OF_AN_ANSWER,
            made: Made::default(),
        }
    }

    /// Shows this certificate where it is asked for one.
    pub fn with_identity(self, identity: Option<Identity>) -> Self {
        Client { identity, made: Made::default(), ..self }
    }

    /// Goes by this proxy. It is vetted as a receiver is, and looks the receivers' names up itself; whoever is called by an
    /// address, and not by a name, is vetted as ever.
    pub fn by_proxy(self, proxy: Option<Url>) -> Self {
        Client { proxy, made: Made::default(), ..self }
    }

    /// Other bounds than 5 s to connect and 15 s in all.
    pub fn with_times(mut self, connect: Duration, total: Duration) -> Self {
        self.connect_time = connect;
        self.total_time = total;
        self.made = Made::default();
        self
    }

    /// Another bound than 16 kB on what is kept of an answer.
    pub fn keeping(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Makes one attempt to post.
    pub async fn post(&self, url: &Url, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, PostError> {
        self.send(Method::Post, url, headers, body).await
    }

    /// Makes one attempt.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, PostError> {
        let (status, retry_after, body) = self.exchange(method, url, headers, body).await?;
        Ok(Answer { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Makes one attempt to post, and answers status and body as they came: for receivers that speak no text.
    pub async fn fetch(&self, url: &Url, headers: &[(&str, &str)], body: Vec<u8>) -> Result<(u16, Vec<u8>), PostError> {
        let (status, _, body) = self.exchange(Method::Post, url, headers, body).await?;
        Ok((status, body))
    }

    async fn exchange(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<(u16, Option<Duration>, Vec<u8>), PostError> {
        let deadline = Instant::now() + self.total_time;
        let host = url.host_str().unwrap_or_default().to_owned();
        let attempt = async {
            let vetted = self.vet(url).await?;
            let method = match method {
                Method::Post => reqwest::Method::POST,
                Method::Put => reqwest::Method::PUT,
                Method::Patch => reqwest::Method::PATCH,
                Method::Get => reqwest::Method::GET,
            };
            let posts = method != reqwest::Method::GET;
            let mut request = self.client(&vetted)?.request(method, url.clone());
            // An empty body is one as well: without its length some receivers answer 411.
            if posts || !body.is_empty() {
                request = request.header("content-length", body.len()).body(body);
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.send().await.map_err(|error| unreachable(&self.said(url, &vetted), &error.without_url()))
        };
        let response = tokio::time::timeout_at(deadline, attempt)
            .await
            .map_err(|_| PostError::TimedOut { host, after: self.total_time })??;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| wish(value, SystemTime::now()));
        Ok((status, retry_after, start_of(response, deadline, self.most).await))
    }

    /// Connects, and shakes hands where the address is https; sends nothing.
    pub async fn probe(&self, url: &Url) -> Result<(), PostError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let attempt = async {
            let vetted = self.vet(url).await?;
            let failed = |error| unreachable(&self.said(url, &vetted), &error);
            let stream = TcpStream::connect(vetted.addresses.as_slice()).await.map_err(failed)?;
            // Of a receiver behind a proxy nothing is known before something is sent.
            if self.proxy.as_ref().unwrap_or(url).scheme() == "https" {
                let config = tls_config(self.authority.as_deref(), self.identity.as_ref())?;
                connect_tls(stream, &vetted.host, config).await.map_err(failed)?;
            }
            Ok(())
        };
        tokio::time::timeout(self.connect_time, attempt)
            .await
            .map_err(|_| PostError::TimedOut { host, after: self.connect_time })?
    }

    /// Whom to connect to: the receiver, or the proxy.
    async fn vet(&self, url: &Url) -> Result<Vetted, Refusal> {
        let Some(proxy) = &self.proxy else { return self.guard.vet_url(url).await };
        if !matches!(url.host(), None | Some(Host::Domain(_))) {
            self.guard.vet_url(url).await?;
        }
        self.guard.vet_url(proxy).await
    }

    /// Whom an error is about.
    fn said(&self, url: &Url, vetted: &Vetted) -> String {
        match &self.proxy {
            Some(_) => format!("{} (by the proxy {})", url.host_str().unwrap_or_default(), vetted.host),
            None => vetted.host.clone(),
        }
    }

    /// A client that is pinned to the vetted addresses: the last one where they are the same. Every attempt has a connection
    /// of its own: one that was kept may end under it, and nobody knows then what arrived.
    fn client(&self, vetted: &Vetted) -> Result<reqwest::Client, PostError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = made.as_ref()
            && known.host == vetted.host
            && known.addresses.len() == vetted.addresses.len()
            && known.addresses.iter().all(|address| vetted.addresses.contains(address))
        {
            return Ok(client.clone());
        }
        let failed = |error: &reqwest::Error| unreachable(&vetted.host, error);
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config(self.authority.as_deref(), self.identity.as_ref())?)
            .resolve_to_addrs(&vetted.host, &vetted.addresses)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            .connect_timeout(self.connect_time)
            .timeout(self.total_time)
            .user_agent(concat!("Telltale/", env!("CARGO_PKG_VERSION")));
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|error| failed(&error))?),
            None => builder,
        };
        let client = builder.build().map_err(|error| failed(&error))?;
        *made = Some((vetted.clone(), client.clone()));
        Ok(client)
    }
}

/// What of the body arrives in time, up to the limit. The status is known by then, so a body that breaks off is no
/// failure of its own.
async fn start_of(mut response: reqwest::Response, deadline: Instant, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        match tokio::time::timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(most);
    bytes
}

fn wish(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    httpdate::parse_http_date(value).ok().map(|at| at.duration_since(now).unwrap_or_default())
}

/// The innermost reasons, without the URL.
fn unreachable(host: &str, error: &dyn Error) -> PostError {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        source = inner.source();
    }
    PostError::Unreachable { host: host.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_wish_is_read_as_seconds_or_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(wish("120", now), Some(Duration::from_secs(120)));
        assert_eq!(wish(" 1.5 ", now), Some(Duration::from_millis(1500)));
        assert_eq!(wish("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(wish("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        for nonsense in ["-1", "inf", "NaN", "1e300", "soon", ""] {
            assert_eq!(wish(nonsense, now), None, "{nonsense}");
        }
    }

    struct Loopback;

    #[async_trait::async_trait]
    impl crate::Lookup for Loopback {
        async fn lookup(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
            Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
        }
    }

    #[tokio::test]
    async fn the_connection_goes_to_the_vetted_address_and_asks_no_resolver_again() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://pinned.invalid:{}/x", listener.local_addr().unwrap().port())).unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let lookup = std::sync::Arc::new(Loopback);
        let refused = Client::new(Guard::with_lookup(vec![], lookup.clone()), None);
        let error = refused.post(&url, &[], vec![]).await.unwrap_err();
        assert!(matches!(error, PostError::Refused(Refusal::PrivateName { .. })), "{error:?}");
        let allowed = vec!["127.0.0.0/8".parse().unwrap()];
        let client = Client::new(Guard::with_lookup(allowed, lookup), None);
        let answer = client.post(&url, &[("x-own", "1")], b"{}".to_vec()).await.unwrap();
        assert_eq!(answer, Answer { status: 202, retry_after: None, body: "ok".to_owned() });
        let request = server.await.unwrap().to_lowercase();
        assert!(request.contains("host: pinned.invalid:") && request.contains("x-own: 1"), "{request}");
        assert_eq!(request.matches("content-length:").count(), 1, "{request}");
    }

    #[tokio::test]
    async fn an_empty_post_says_how_long_it_is_and_a_question_says_nothing() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(async move {
            let mut heads = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlong!")
                    .await
                    .unwrap();
                heads.push(String::from_utf8_lossy(&request[..read]).to_lowercase());
            }
            heads
        });
        let client = Client::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]), None).keeping(4);
        assert_eq!(client.post(&url, &[], vec![]).await.unwrap().body, "long");
        client.send(Method::Get, &url, &[], vec![]).await.unwrap();
        let heads = server.await.unwrap();
        assert_eq!(heads[0].matches("content-length: 0\r\n").count(), 1, "{}", heads[0]);
        assert!(heads[1].starts_with("get ") && !heads[1].contains("content-length"), "{}", heads[1]);
    }
}
