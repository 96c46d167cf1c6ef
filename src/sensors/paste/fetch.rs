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
use jiff::Timestamp;
use reqwest::{
    Response, StatusCode, Url,
    header::{
        CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
        USER_AGENT,
    },
};
use serde::{Deserialize, Serialize};
use std::{fmt::Write as _, sync::Arc, time::Duration};

/// Who asks: some sites serve nobody who does not say.
const AGENT: &str = concat!("telltale/", env!("CARGO_PKG_VERSION"));
/// No site is left alone for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

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

/// A request: with a body it is posted.
pub struct Ask {
    pub address: Url,
    pub body: Option<String>,
}

impl Ask {
    /// JSON in whose texts placeholders stand, with their values.
    pub fn filled(body: &str, values: &[(&str, &str)]) -> String {
        filled(body, values, &|value, text| {
            let quoted = serde_json::Value::from(value).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        })
    }
}

/// A client of one site.
pub struct Fetcher {
    client: reqwest::Client,
    base: Url,
    /// As the operator wrote it, with its last slash.
    written: Url,
    headers: HeaderMap,
    hosts: Vec<String>,
    allowed: Arc<Allowed>,
}

impl Fetcher {
    /// A client of the site at `base`. The error says what is wrong with which key.
    pub fn new(base: &str, source: &Source, token: Option<&Secret>, networks: Vec<IpNet>) -> Result<Self, String> {
        let wrong = "url: expected an address such as https://paste.example.org";
        let written = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| source.list.path.is_empty() || url.query().is_none())
            .ok_or(wrong)?;
        let base = Url::parse(base.trim_end_matches('/')).map_err(|_| wrong)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &source.headers {
            let wrong = || format!("source: headers.{name}: no header");
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
        }
        match (&source.auth, token) {
            (Some(auth), Some(token)) => {
                let (name, value) = header(auth, token)?;
                headers.insert(name, value);
            }
            (None, Some(_)) => return Err("token: this source takes none".into()),
            _ => {}
        }
        let allowed = Allowed::new(&base, networks);
        let client = outside::client(&allowed)?;
        Ok(Fetcher { client, base, written, headers, hosts: source.hosts.clone(), allowed })
    }

    /// The origin, for messages and as the one who vouches for what is found there.
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The address of a path of the site, or of a whole address that the source's file gives. Placeholders become their
    /// values, with every character that could mean something in an address encoded.
    pub fn address(&self, path: &str, values: &[(&str, &str)]) -> Option<Url> {
        if path.is_empty() {
            return Some(self.written.clone());
        }
        if values.iter().any(|(_, value)| matches!(*value, "." | "..")) {
            return None;
        }
        let whole = path.starts_with("https://") || path.starts_with("http://");
        let root = if whole { "" } else { self.base.as_str().trim_end_matches('/') };
        let address = Url::parse(&format!("{root}{}", filled(path, values, &encoded))).ok()?;
        let nobody: Vec<(&str, &str)> = values.iter().map(|(name, _)| (*name, "x")).collect();
        let meant =
            if whole { Url::parse(&filled(path, &nobody, &encoded)).ok()?.origin() } else { self.base.origin() };
        (address.origin() == meant).then_some(address)
    }

    /// An address that a list names: of the site itself, or of a host that the source's file or the operator lists.
    pub fn elsewhere(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
        if url.origin() == self.base.origin() {
            return Some(url);
        }
        let host = url.host_str()?;
        let with_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let listed = self.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(&with_port));
        // Where the site itself is asked in secret, so is everybody else.
        let scheme = url.scheme() == "https" || url.scheme() == "http" && self.base.scheme() == "http";
        (listed && scheme).then_some(url)
    }

    /// Asks, and reads at most `limit` bytes of the answer.
    pub async fn ask(&self, ask: Ask, known: &Version, limit: usize) -> Answer {
        let Ask { address, body } = ask;
        let ours = address.origin() == self.base.origin();
        if !ours && !self.allowed.literal(&address) {
            return Answer::Failed("private_address");
        }
        let mut request = match body {
            Some(body) => self.client.post(address).header(CONTENT_TYPE, "application/json").body(body),
            None => self.client.get(address),
        };
        request = request.header(USER_AGENT, AGENT);
        if ours {
            request = request.headers(self.headers.clone());
        }
        if let Some(etag) = &known.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &known.modified {
            request = request.header(IF_MODIFIED_SINCE, modified);
        }
        let Ok(response) = request.send().await else { return Answer::Failed("unreachable") };
        let wait = || outside::wait(response.headers(), Timestamp::now(), LONGEST_WAIT);
        match response.status() {
            StatusCode::NOT_MODIFIED => Answer::Unchanged,
            StatusCode::NOT_FOUND | StatusCode::GONE => Answer::Gone,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Answer::Later(wait()),
            // Some say so when their limit is reached, too.
            StatusCode::FORBIDDEN if outside::at_the_limit(response.headers()) => Answer::Later(wait()),
            status if status.is_redirection() => Answer::Failed("redirect_refused"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Failed("not_allowed"),
            status if status.is_success() => read(response, limit).await,
            _ => Answer::Failed("unexpected_status"),
        }
    }
}

fn encoded(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

/// A text whose placeholders are replaced, each value written as `write` does. Values are not looked into again.
fn filled(text: &str, values: &[(&str, &str)], write: &dyn Fn(&str, &mut String)) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let known =
            values.iter().find(|(name, _)| rest[1..].strip_prefix(name).is_some_and(|end| end.starts_with('}')));
        match known {
            Some((name, value)) => {
                write(value, &mut filled);
                rest = &rest[name.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
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

async fn read(response: Response, limit: usize) -> Answer {
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
        let address = |id: &str| fetcher.address("/raw/{id}", &[("id", id)]).map(String::from);
        assert_eq!(address("a b.txt").as_deref(), Some("http://127.0.0.1:5577/paste/raw/a%20b.txt"));
        assert_eq!(address("../../admin").as_deref(), Some("http://127.0.0.1:5577/paste/raw/..%2F..%2Fadmin"));
        assert_eq!(address("//evil.example").as_deref(), Some("http://127.0.0.1:5577/paste/raw/%2F%2Fevil.example"));
        assert_eq!(address("@evil.example/x").as_deref(), Some("http://127.0.0.1:5577/paste/raw/%40evil.example%2Fx"));
        assert!(address("a\r\nHost: evil").is_some_and(|text| text.ends_with("/raw/a%0D%0AHost%3A%20evil")));
        assert_eq!(address(".."), None);
        let other = fetcher.address("https://raw.example.org/{id}", &[("id", "x?y#z")]).map(String::from);
        assert_eq!(other.as_deref(), Some("https://raw.example.org/x%3Fy%23z"));
    }

    #[test]
    fn lists_lead_to_the_site_and_listed_hosts_alone() {
        let mut source = Source::find("rustypaste", None).expect("shipped");
        source.hosts = vec!["raw.example.org".into(), "raw.example.org:8443".into()];
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fetcher = Fetcher::new("https://paste.example.org", &source, None, vec![]).expect("a client");
        let leads = |text: &str| fetcher.elsewhere(text).is_some();
        for text in ["https://paste.example.org/x", "https://raw.example.org/x", "https://RAW.example.org:8443/x"] {
            assert!(leads(text), "{text}");
        }
        for text in [
            "http://raw.example.org/x",
            "http://paste.example.org/x",
            "https://raw.example.org:444/x",
            "https://raw.example.org@evil.example/x",
            "https://u@raw.example.org/x",
            "https://evil.example/raw.example.org",
            "https://raw.example.org.evil.example/",
            "file:///etc/passwd",
            "//raw.example.org/x",
            "",
        ] {
            assert!(!leads(text), "{text}");
        }
    }

    #[test]
    fn bodies_stay_json_whatever_the_values() {
        let values = [("id", "a\"}{domain}\n"), ("domain", "x")];
        let body = Ask::filled("{\"id\": \"{id}\", \"d\": \"{domain}\"}", &values);
        let read: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((&read["id"], &read["d"]), (&"a\"}{domain}\n".into(), &"x".into()));
    }

    proptest! {
        #[test]
        fn any_value_is_one_text_of_a_body(value in any::<String>()) {
            let body = Ask::filled("{\"id\": \"{id}\"}", &[("id", &value)]);
            let read: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            prop_assert_eq!(&read["id"], &serde_json::Value::from(value));
        }

        #[test]
        fn the_origin_stays_whatever_the_id(id in any::<String>()) {
            let fetcher = fetcher("https://paste.example.org/p");
            if let Some(address) = fetcher.address("/raw/{id}", &[("id", &id)]) {
                prop_assert_eq!(address.origin(), fetcher.base.origin());
                prop_assert!(address.path().starts_with("/p/raw/"));
            }
        }
    }
}
