//! Answers the links that stand in planted documents. Every path is reported and answered alike: there is no document.

use crate::{
    domain::{
        section::{Section, SectionError},
        sighting::{Presented, Touch},
    },
    sensors::{
        listener::{
            Listener, Peer,
            config::{Limits, ListenerConfig},
            proxy::Proxies,
        },
        openers, pages, request,
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use axum::{
    Extension, Router,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use canaries::MarkerKind;
use hyper::{
    StatusCode,
    header::{HOST, HeaderValue, USER_AGENT},
};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "beacon", about: "answers the links that stand in planted documents", build };

const PAGE: &str = include_str!("pages/beacon.html");
// One transparent pixel.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\
\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;";
const FORWARDED_HOST: &str = "x-forwarded-host";
const SHORTEST: usize = 8;
const SEGMENTS: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    public_url: Option<String>,
    #[serde(default, deserialize_with = "openers::networks")]
    own_networks: Vec<IpNet>,
}

/// The server of document links.
pub struct Beacon {
    name: String,
    listener: ListenerConfig,
    public_url: Option<String>,
    own_networks: Vec<IpNet>,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (listener, config): (_, Config) = ListenerConfig::read(section)?;
    let public_url = match config.public_url {
        None => None,
        Some(text) => {
            let usable = url::Url::parse(&text)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none());
            if !usable {
                let wanted = "expected an address such as https://docs.example.org, as document readers will reach it";
                return Err(SectionError::new("public_url", wanted));
            }
            Some(text.trim_end_matches('/').to_owned())
        }
    };
    Ok(Box::new(Beacon { name: section.name.clone(), listener, public_url, own_networks: config.own_networks }))
}

struct Serving {
    name: String,
    proxies: Proxies,
    own_networks: Vec<IpNet>,
    reporter: Reporter,
}

#[async_trait]
impl Sensor for Beacon {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let listener = Listener::bind(&self.listener, Limits::default()).await?;
        let address = Some(listener.address());
        let Beacon { name, own_networks, listener: ListenerConfig { trusted_proxies, .. }, .. } = *self;
        let proxies = Proxies::new(trusted_proxies);
        let serving = Arc::new(Serving { name: name.clone(), proxies, own_networks, reporter: reporter.clone() });
        let router = Router::new().fallback(answer).with_state(serving);
        let refused = Arc::new(move |reason| reporter.refused(&name, reason));
        Ok(Running { address, task: tokio::spawn(listener.serve(router, refused, stop)) })
    }

    fn public_url(&self) -> Option<String> {
        self.public_url.clone()
    }

    async fn probe(&self) -> anyhow::Result<()> {
        Listener::bind(&self.listener, Limits::default()).await.map(drop)
    }
}

async fn answer(State(serving): State<Arc<Serving>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let path = parts.uri.path();
    let agent = parts.headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    let (class, service) = openers::classed("beacon", peer.source, agent, &serving.own_networks);
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).or(parts.uri.host());
    let mut presented = segments(path);
    presented.extend(labels(host.unwrap_or_default()));
    // A proxy that passes a request on may put its own name for us in the place of the one that was asked for.
    if serving.proxies.trusts(peer.socket.ip()) {
        let asked = parts.headers.get_all(FORWARDED_HOST).iter().filter_map(|host| host.to_str().ok());
        presented.extend(asked.flat_map(labels).take(SEGMENTS));
    }
    let touch = Touch {
        opened: None,
        sensor: serving.name.clone(),
        reporter: peer.socket.ip().to_string(),
        class,
        at: Timestamp::now(),
        source_ip: Some(peer.source),
        service,
        presented,
        text: Vec::new(),
        mail: None,
        evidence: request::evidence(&parts.method, &parts.uri, parts.version, &parts.headers, &[]),
    };
    if serving.reporter.observe(touch).await.is_err() {
        serving.reporter.refused(&serving.name, "not_durable");
    }
    if is_image(path) {
        pages::answer(StatusCode::OK, "image/gif", Bytes::from_static(PIXEL))
    } else {
        pages::html(StatusCode::OK, Bytes::from_static(PAGE.as_bytes()))
    }
}

fn is_image(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    matches!(extension.as_deref(), Some("gif" | "png" | "jpg" | "jpeg" | "webp" | "ico" | "bmp"))
}

/// Where a server of names answers for the host, what only a reader of the document knows stands there.
fn labels(host: &str) -> impl Iterator<Item = Presented> {
    let long = host.split(['.', ':', ',', ' ']).filter(|label| label.len() >= SHORTEST).take(SEGMENTS);
    long.map(of_link)
}

fn of_link(value: &str) -> Presented {
    Presented { hint: Some(MarkerKind::DocumentLink), value: request::bounded(value), hmac: false }
}

fn segments(path: &str) -> Vec<Presented> {
    let mut presented: Vec<Presented> = Vec::new();
    for segment in path.split('/').rev().filter(|segment| segment.len() >= SHORTEST).take(SEGMENTS) {
        let stem = segment.split_once('.').map(|(stem, _)| stem).filter(|stem| stem.len() >= SHORTEST);
        for value in [Some(segment), stem].into_iter().flatten() {
            presented.push(of_link(value));
        }
    }
    presented
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_segments_are_presented_with_and_without_their_extension() {
        let values = |path| segments(path).into_iter().map(|presented| presented.value).collect::<Vec<_>>();
        assert_eq!(values("/rh/abcdefgh12/logo0001.png"), ["logo0001.png", "logo0001", "abcdefgh12"]);
        assert!(values("/favicon/").is_empty() && values("/").is_empty() && values("//../a").is_empty());
        assert_eq!(values(&"/aaaaaaaaa".repeat(100)).len(), SEGMENTS);
    }

    #[test]
    fn the_answer_depends_on_the_extension_only() {
        assert!(is_image("/abcdefgh12/p.GIF") && !is_image("/abcdefgh12") && !is_image("/x.gif/doc"));
    }
}
