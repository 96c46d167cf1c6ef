//! Any HTTP receiver that no sink of its own serves: what it is sent is a template, a shipped one or the operator's file,
//! rendered in a sandbox. A template that does not render is found when it is configured, not when it is needed.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            body::body,
            options::{Options, read, read_authority},
            post::{Post, settle},
            sample::samples,
            wording::Wording,
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, de::IntoDeserializer, de::value::Error as ValueError};
use std::{collections::BTreeMap, fs, io::Read, path::PathBuf};
use webhooks::{Method, Templates};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "template",
    about: "any HTTP receiver, by a template of your own",
    build: Template::build,
    gathers: true,
};

/// Of an operator's template.
const LONGEST: u64 = 64 * 1024;
/// The endings that say how what a template prints is escaped, and what it makes.
const ENDINGS: [(&str, &str); 3] = [
    (".json.j2", "application/json"),
    (".html.j2", "text/html; charset=utf-8"),
    (".txt.j2", "text/plain; charset=utf-8"),
];
/// Headers that the request itself decides on.
const NOT_YOURS: [&str; 6] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"];
/// Parts of names of headers whose values are secrets.
const SECRET_NAMES: [&str; 7] = ["auth", "key", "token", "secret", "cookie", "password", "signature"];

#[derive(Clone, Copy, Default, Deserialize)]
enum Verb {
    #[default]
    #[serde(rename = "POST")]
    Post,
    #[serde(rename = "PUT")]
    Put,
    #[serde(rename = "PATCH")]
    Patch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    template: String,
    #[serde(default)]
    method: Verb,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    content_type: Option<String>,
    ca: Option<PathBuf>,
}

struct Template {
    options: Options,
    host: String,
    post: Post,
    templates: Templates,
    name: String,
    headers: Vec<(String, Secret)>,
}

impl Template {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let (templates, name) = template(section, &config.template)?;
        let by_ending = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, kind)| *kind);
        let kind = config.content_type.as_deref().or(by_ending).unwrap_or("text/plain");
        if HeaderValue::from_str(kind).is_err() {
            return Err(SectionError::new("content_type", "expected a media type, such as application/json"));
        }
        let mut headers = vec![("content-type".to_owned(), Secret::new(kind))];
        for (name, value) in config.headers {
            headers.push(header(name, value)?);
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let method = match config.method {
            Verb::Post => Method::Post,
            Verb::Put => Method::Put,
            Verb::Patch => Method::Patch,
        };
        let post = Post::new(config.url.reveal(), &options, authority)?.by(method);
        let post = post.hiding(headers.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.clone()));
        let template = Template { options, host: config.url.host(), post, templates, name, headers };
        for sample in samples() {
            template.render(&sample).map_err(|why| SectionError::new("template", why))?;
        }
        Ok(Box::new(template))
    }

    fn render(&self, alert: &Alert) -> Result<String, String> {
        let mut context = Wording::of(alert).context(alert);
        context["alert"] = body(alert);
        if context["alert"]["data"]["sightings"].is_null() {
            // An alert of none has an empty list here: templates would stumble over what is not there.
            context["alert"]["data"]["sightings"] = serde_json::json!([]);
        }
        self.templates.render(&self.name, &context).map_err(|error| error.to_string())
    }
}

/// A shipped template of this name, or the operator's file.
fn template(section: &Section, wanted: &str) -> Result<(Templates, String), SectionError> {
    let mut templates = Templates::default();
    let wrong = |message: String| SectionError::new("template", message);
    let shipped = templates.names().into_iter().find(|name| *name == wanted || name.split('.').next() == Some(wanted));
    if let Some(shipped) = shipped.map(str::to_owned) {
        return Ok((templates, shipped));
    }
    let path = section.path(wanted.as_ref());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !ENDINGS.iter().any(|(ending, _)| name.ends_with(ending)) {
        let shipped: Vec<&str> = templates.names();
        return Err(wrong(format!(
            "expected a file whose name ends in .json.j2, .html.j2 or .txt.j2, which says how values are escaped; or a \
             shipped one: {}",
            shipped.join(", ")
        )));
    }
    let unread = |error: std::io::Error| wrong(format!("{} cannot be read: {error}", path.display()));
    let mut text = String::new();
    fs::File::open(&path).map_err(unread)?.take(LONGEST + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() as u64 > LONGEST {
        return Err(wrong(format!("{} is larger than 64 kB", path.display())));
    }
    templates.add(&name, &text).map_err(|error| wrong(error.to_string()))?;
    Ok((templates, name))
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.iter().any(|part| name.to_ascii_lowercase().contains(part))
}

fn header(name: String, value: String) -> Result<(String, Secret), SectionError> {
    let key = format!("headers.{name}");
    let known = HeaderName::from_bytes(name.as_bytes());
    let wrong = |message: &str| SectionError::new(key.clone(), message);
    let known = known.map_err(|_| wrong("is no name of a header"))?;
    if known.as_str() == "content-type" {
        return Err(wrong("say it by `content_type`"));
    }
    if NOT_YOURS.contains(&known.as_str()) {
        return Err(wrong("the request itself decides on it"));
    }
    if HeaderValue::from_str(&value).is_err() {
        return Err(wrong("its value cannot stand in a header: one line of visible ASCII is expected"));
    }
    // A credential must not stand in the configuration; what names a tenant or a team may.
    let secret = match is_secret(&name) {
        true => Secret::deserialize(IntoDeserializer::<ValueError>::into_deserializer(value))
            .map_err(|error| wrong(&error.to_string()))?,
        false => Secret::new(value),
    };
    Ok((name, secret))
}

#[async_trait]
impl Sink for Template {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let body = self.render(alert).map_err(|why| SinkError::GiveUp { why, status: None })?;
        let mut headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        // The same at every attempt, for receivers that tell repetitions by it.
        headers.push(("idempotency-key", &alert.id));
        settle(&self.host, self.post.send(&headers, body.into_bytes()).await?)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
