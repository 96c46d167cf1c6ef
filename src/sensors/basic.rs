//! A decoy web server that asks for HTTP Basic on every path: an intranet, a file share, an interface. Whatever is presented
//! fails alike.

use crate::{
    domain::{
        section::{Section, SectionError},
        sighting::{Class, Touch},
    },
    sensors::{
        credentials,
        listener::{
            Listener, Peer,
            config::{Limits, ListenerConfig},
        },
        request,
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use axum::{
    Extension, Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use hyper::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, SERVER, WWW_AUTHENTICATE},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "basic", about: "a decoy web server that asks for HTTP Basic on every path", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    realm: String,
    server: String,
}

impl Default for Config {
    fn default() -> Self {
        Config { realm: "Restricted".into(), server: "nginx".into() }
    }
}

/// The decoy web server.
struct Basic {
    name: String,
    listener: ListenerConfig,
    challenge: HeaderValue,
    server: HeaderValue,
    page: String,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (listener, config): (_, Config) = ListenerConfig::read(section)?;
    let value = |key: &str, text: &str| {
        HeaderValue::from_str(text).map_err(|_| SectionError::new(key, "expected printable characters"))
    };
    let challenge = value("realm", &format!("Basic realm=\"{}\"", config.realm.replace(['"', '\\'], "")))?;
    let server = value("server", &config.server)?;
    let title = "401 Authorization Required";
    // As a web server has it that nobody gave a page of its own.
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>{}</center>\r\n\
         </body>\r\n</html>\r\n",
        config.server.replace('&', "&amp;").replace('<', "&lt;")
    );
    Ok(Box::new(Basic { name: section.name.clone(), listener, challenge, server, page }))
}

#[async_trait]
impl Sensor for Basic {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let listener = Listener::bind(&self.listener, Limits::default()).await?;
        let address = Some(listener.address());
        let (name, counted) = (self.name.clone(), reporter.clone());
        let router = Router::new().fallback(answer).with_state(Arc::new((*self, reporter)));
        let refused = Arc::new(move |reason| counted.refused(&name, reason));
        Ok(Running { address, task: tokio::spawn(listener.serve(router, refused, stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        Listener::bind(&self.listener, Limits::default()).await.map(drop)
    }
}

async fn answer(
    State(serving): State<Arc<(Basic, Reporter)>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (basic, reporter) = &*serving;
    let (parts, body) = request.into_parts();
    // What is not read would be read as the next request.
    if let Err(reason) = request::read_body(body).await {
        reporter.refused(&basic.name, reason);
    }
    if let Some(value) = parts.headers.get(AUTHORIZATION) {
        match credentials::basic(value.as_bytes()).map(|read| read.presented()).filter(|read| !read.is_empty()) {
            Some(presented) => {
                let touch = Touch {
                    opened: None,
                    sensor: basic.name.clone(),
                    reporter: peer.socket.ip().to_string(),
                    class: Class::Login,
                    at: Timestamp::now(),
                    source_ip: Some(peer.source),
                    service: "basic".into(),
                    presented,
                    text: Vec::new(),
                    mail: None,
                    evidence: request::evidence(&parts.method, &parts.uri, parts.version, &parts.headers, &[]),
                };
                if reporter.observe(touch).await.is_err() {
                    reporter.refused(&basic.name, "not_durable");
                }
            }
            None => reporter.refused(&basic.name, "unreadable_credentials"),
        }
    }
    let headers = [
        (SERVER, basic.server.clone()),
        (CONTENT_TYPE, HeaderValue::from_static("text/html")),
        (WWW_AUTHENTICATE, basic.challenge.clone()),
    ];
    (StatusCode::UNAUTHORIZED, headers, basic.page.clone()).into_response()
}
