//! Asks a paste site, and nobody else: whatever its answers say, addresses are made of the configured origin, or of a
//! host that the source's file names; redirects are not followed, and names that lead to private networks are refused.

use crate::{
    domain::secret::Secret,
    sensors::{
        outside::{self, Allowed},
        paste::source::{Auth, Source},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use ipnet::IpNet;
use reqwest::{
    Response, StatusCode, Url,
    header::{ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};
use std::{fmt::Write as _, sync::Arc, time::Duration};

/// What a list said of its own version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub etag: Option<String>,
    pub modified: Option<String>,
}

/// A site's answer.
pub enum Answer {
    /// A body, cut at the limit, and whether it was cut.
    Body { bytes: Vec<u8>, cut: bool, version: Version },
    /// Not changed since that version.
    Unchanged,
    /// There is no such thing.
    Gone,
    /// Not now; after so long, if the site said so.
    Later(Option<Duration>),
    /// Anything else, under a fixed reason.
    Failed(&'static str),
}

/// A client of one site.
pub struct Fetcher {
    client: reqwest::Client,
    base: Url,
    auth: Option<(HeaderName, HeaderValue)>,
    allowed: Arc<Allowed>,
}

impl Fetcher {
    /// A client of the site at `base`. The error says what is wrong with which key.
    pub fn new(base: &str, source: &Source, token: Option<&Secret>, networks: Vec<IpNet>) -> Result<Self, String> {
        let base = Url::parse(base.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none())
            .ok_or("url: expected an address such as https://paste.example.org")?;
        let auth = match (&source.auth, token) {
            (Some(auth), Some(token)) => Some(header(auth, token)?),
            (None, Some(_)) => return Err("token: this source takes none".into()),
            _ => None,
        };
        let allowed = Allowed::new(&base, networks);
        let client = outside::client(&allowed)?;
        Ok(Fetcher { client, base, auth, allowed })
    }

    /// The origin, for messages and as the one who vouches for what is found there.
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The address of a path of the site, or of a whole address that the source's file gives. `{id}` becomes the id,
    /// with every character that could mean something in an address encoded.
    pub fn address(&self, path: &str, id: &str) -> Option<Url> {
        let mut encoded = String::with_capacity(id.len());
        for byte in id.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                encoded.push(char::from(byte));
            } else {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        if matches!(encoded.as_str(), "." | "..") {
            return None;
        }
        let whole = path.starts_with("https://") || path.starts_with("http://");
        let root = if whole { "" } else { self.base.as_str().trim_end_matches('/') };
        let address = Url::parse(&format!("{root}{}", path.replace("{id}", &encoded))).ok()?;
        let meant = if whole { Url::parse(&path.replace("{id}", "x")).ok()?.origin() } else { self.base.origin() };
        (address.origin() == meant).then_some(address)
    }

    /// Asks for an address and reads at most `limit` bytes of the answer.
    pub async fn get(&self, address: Url, known: &Version, limit: usize) -> Answer {
        let ours = address.origin() == self.base.origin();
        if !ours && !self.allowed.literal(&address) {
            return Answer::Failed("private_address");
        }
        let mut request = self.client.get(address);
        if let (true, Some((name, value))) = (ours, &self.auth) {
            request = request.header(name, value);
        }
        if let Some(etag) = &known.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &known.modified {
            request = request.header(IF_MODIFIED_SINCE, modified);
        }
        let Ok(response) = request.send().await else { return Answer::Failed("unreachable") };
        match response.status() {
            StatusCode::NOT_MODIFIED => Answer::Unchanged,
            StatusCode::NOT_FOUND | StatusCode::GONE => Answer::Gone,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Answer::Later(retry_after(&response)),
            status if status.is_redirection() => Answer::Failed("redirect_refused"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Failed("not_allowed"),
            status if status.is_success() => body(response, limit).await,
            _ => Answer::Failed("unexpected_status"),
        }
    }
}

fn header(auth: &Auth, token: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(auth.header.as_bytes()).map_err(|_| "auth.header: no header's name")?;
    let text = match &auth.basic_user {
        Some(user) => format!("Basic {}", STANDARD.encode(format!("{user}:{}", token.reveal()))),
        None => format!("{}{}", auth.prefix, token.reveal()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| "token: characters that no header may have")?;
    value.set_sensitive(true);
    Ok((name, value))
}

async fn body(response: Response, limit: usize) -> Answer {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let version = Version { etag: text(ETAG), modified: text(LAST_MODIFIED) };
    let mut pieces = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else { return Answer::Failed("answer_cut_short") };
        let room = limit - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            return Answer::Body { bytes, cut: true, version };
        }
    }
    Answer::Body { bytes, cut: false, version }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(jiff::Timestamp::now())).ok()?
        }
    };
    Some(wait.min(Duration::from_secs(24 * 60 * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fetcher(base: &str) -> Fetcher {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Fetcher::new(base, &Source::find("rustypaste", None).expect("shipped"), None, vec![]).expect("a client")
    }

    #[test]
    fn no_id_leads_away_from_the_origin() {
        let fetcher = fetcher("http://127.0.0.1:5577/paste/");
        let address = |id: &str| fetcher.address("/raw/{id}", id).map(String::from);
        assert_eq!(address("a b.txt").as_deref(), Some("http://127.0.0.1:5577/paste/raw/a%20b.txt"));
        assert_eq!(address("../../admin").as_deref(), Some("http://127.0.0.1:5577/paste/raw/..%2F..%2Fadmin"));
        assert_eq!(address("//evil.example").as_deref(), Some("http://127.0.0.1:5577/paste/raw/%2F%2Fevil.example"));
        assert_eq!(address("@evil.example/x").as_deref(), Some("http://127.0.0.1:5577/paste/raw/%40evil.example%2Fx"));
        assert!(address("a\r\nHost: evil").is_some_and(|text| text.ends_with("/raw/a%0D%0AHost%3A%20evil")));
        assert_eq!(address(".."), None);
        let other = fetcher.address("https://raw.example.org/{id}", "x?y#z").map(String::from);
        assert_eq!(other.as_deref(), Some("https://raw.example.org/x%3Fy%23z"));
    }

    proptest! {
        #[test]
        fn the_origin_stays_whatever_the_id(id in any::<String>()) {
            let fetcher = fetcher("https://paste.example.org/p");
            if let Some(address) = fetcher.address("/raw/{id}", &id) {
                prop_assert_eq!(address.origin(), fetcher.base.origin());
                prop_assert!(address.path().starts_with("/p/raw/"));
            }
        }
    }
}
