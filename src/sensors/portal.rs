//! A decoy login page for employees. Whatever is presented is reported, and fails alike: it never knows what it saw.

use crate::{
    domain::{
        reason::reason,
        section::{Section, SectionError},
        sighting::{Class, Presented, Touch},
    },
    sensors::{
        credentials::{self, Credentials, Fields},
        listener::{
            Listener, Peer,
            config::{Limits, ListenerConfig},
        },
        pages::{self, Language, Look, Pages, skins},
        request,
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use axum::{
    Extension, Router,
    extract::{Request, State},
    response::Response,
};
use hyper::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
    http::request::Parts,
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "portal", about: "a decoy login page for employees (form and HTTP Basic)", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    organisation: String,
    title: Option<String>,
    skin: String,
    page: Option<PathBuf>,
    accent: String,
    second_factor: bool,
    realm: String,
    language: Language,
    username_field: Option<String>,
    password_field: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            organisation: "Intranet".into(),
            title: None,
            skin: skins::SKINS[0].name.into(),
            page: None,
            accent: "#1f4e79".into(),
            second_factor: false,
            realm: "Intranet".into(),
            language: Language::Fr,
            username_field: None,
            password_field: None,
        }
    }
}

/// The decoy login page.
pub struct Portal {
    name: String,
    listener: ListenerConfig,
    pages: Pages,
    /// Whether a second factor is asked for, of whoever presents a user name and a password.
    second_factor: bool,
    challenge: HeaderValue,
    fields: Fields,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (listener, config): (_, Config) = ListenerConfig::read(section)?;
    let skin = skins::named(&config.skin).ok_or_else(|| {
        let known: Vec<&str> = skins::SKINS.iter().map(|skin| skin.name).collect();
        SectionError::new("skin", format!("no skin is called {:?}; known are {}", config.skin, known.join(", ")))
    })?;
    if !is_colour(&config.accent) {
        return Err(SectionError::new("accent", "expected a colour such as \"#1f4e79\""));
    }
    let own = match &config.page {
        None => None,
        Some(path) => {
            let path = section.path(path);
            let text = std::fs::read_to_string(&path).map_err(|error| {
                SectionError::new("page", format!("cannot read {}: {}", path.display(), reason(&error)))
            })?;
            Some(text)
        }
    };
    let look = Look {
        skin,
        own: own.as_deref(),
        organisation: &config.organisation,
        title: config.title.as_deref(),
        accent: &config.accent,
        language: config.language,
    };
    let pages =
        Pages::render(&look).map_err(|error| SectionError::new("page", format!("not a usable template: {error}")))?;
    let quoted = config.realm.replace(['"', '\\'], "");
    let challenge = HeaderValue::from_str(&format!("Basic realm=\"{quoted}\", charset=\"UTF-8\""))
        .map_err(|_| SectionError::new("realm", "expected printable characters"))?;
    let fields = Fields::new(config.username_field, config.password_field);
    let second_factor = config.second_factor;
    Ok(Box::new(Portal { name: section.name.clone(), listener, pages, second_factor, challenge, fields }))
}

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

struct Serving {
    portal: Portal,
    reporter: Reporter,
}

#[async_trait]
impl Sensor for Portal {
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let listener = Listener::bind(&self.listener, Limits::default()).await?;
        let address = Some(listener.address());
        let name = self.name.clone();
        let counted = reporter.clone();
        let serving = Arc::new(Serving { portal: *self, reporter });
        let router = Router::new().fallback(answer).with_state(serving);
        let refused = Arc::new(move |reason| counted.refused(&name, reason));
        Ok(Running { address, task: tokio::spawn(listener.serve(router, refused, stop)) })
    }

    async fn probe(&self) -> anyhow::Result<()> {
        Listener::bind(&self.listener, Limits::default()).await.map(drop)
    }
}

async fn answer(State(serving): State<Arc<Serving>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let Serving { portal, reporter } = &*serving;
    let (parts, body) = request.into_parts();
    let posted = parts.method == Method::POST;
    let basic = parts.headers.get(AUTHORIZATION);
    if !posted && basic.is_none() {
        return match parts.method {
            Method::GET | Method::HEAD => pages::html(StatusCode::OK, portal.pages.login(&parts.headers)),
            _ => pages::html(StatusCode::METHOD_NOT_ALLOWED, portal.pages.login(&parts.headers)),
        };
    }
    let mut presented = Vec::new();
    if let Some(value) = basic {
        match credentials::basic(value.as_bytes()) {
            Some(credentials) => present(&credentials, &mut presented),
            None => reporter.refused(&portal.name, "unreadable_credentials"),
        }
    }
    let mut kept = Vec::new();
    if posted {
        match request::read_body(body).await {
            Ok(body) => {
                match credentials::form(&parts.headers, &body, &portal.fields) {
                    Some(credentials) => present(&credentials, &mut presented),
                    None => reporter.refused(&portal.name, "no_credentials"),
                }
                kept = body;
            }
            Err(reason) => reporter.refused(&portal.name, reason),
        }
    }
    let presented_none = presented.is_empty();
    if !presented_none {
        let touch = touch(portal, peer, &parts, presented, &kept);
        if reporter.observe(touch).await.is_err() {
            reporter.refused(&portal.name, "not_durable");
        }
    }
    // A code comes without a name, and fails: what is to be known was told before.
    if portal.second_factor && basic.is_none() && !presented_none {
        return pages::html(StatusCode::OK, portal.pages.code(&parts.headers));
    }
    let mut response = pages::html(StatusCode::UNAUTHORIZED, portal.pages.failed(&parts.headers));
    if basic.is_some() {
        response.headers_mut().insert(WWW_AUTHENTICATE, portal.challenge.clone());
    }
    response
}

fn present(credentials: &Credentials, presented: &mut Vec<Presented>) {
    presented.extend(credentials.presented());
}

fn touch(portal: &Portal, peer: Peer, parts: &Parts, presented: Vec<Presented>, body: &[u8]) -> Touch {
    Touch {
        opened: None,
        sensor: portal.name.clone(),
        reporter: peer.socket.ip().to_string(),
        class: Class::Login,
        at: Timestamp::now(),
        source_ip: Some(peer.source),
        service: "portal".into(),
        presented,
        text: Vec::new(),
        mail: None,
        evidence: request::evidence(&parts.method, &parts.uri, parts.version, &parts.headers, body),
    }
}
