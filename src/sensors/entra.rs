//! Sign-ins to a Microsoft Entra tenant, from Microsoft Graph. Pages follow each other by `@odata.nextLink`. Sign-ins may
//! come hours after they happened, and out of order.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        cloud::{Log, Page, config, poll::Poller},
        sensor::{Entry, Sensor},
    },
};
use jiff::Timestamp;
use reqwest::{Url, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use webhooks::oauth::Grant;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "entra", about: "polls the sign-ins of a Microsoft Entra tenant", build };

const GRAPH: &str = "https://graph.microsoft.com";
const LOGIN: &str = "https://login.microsoftonline.com";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    tenant: String,
    client: String,
    secret: Secret,
    login: Option<String>,
}

/// The sign-ins to one tenant.
pub struct SignIns(Url);

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (shared, config): (config::Shared, Config) = config::read(section)?;
    let base = shared.base(Some(GRAPH))?;
    let name =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if !name(&config.tenant) || config.tenant.starts_with('.') {
        return Err(SectionError::new("tenant", "expected the directory's id, or a domain of it"));
    }
    if !name(&config.client) {
        return Err(SectionError::new("client", "expected the application's id"));
    }
    let login = shared.address(config.login.as_deref().unwrap_or(LOGIN)).ok_or_else(|| {
        SectionError::new("login", "expected an https:// address, or http:// with an IP address within allow_private")
    })?;
    let at = login
        .join(&format!("/{}/oauth2/v2.0/token", config.tenant))
        .map_err(|_| SectionError::new("tenant", "expected the directory's id"))?;
    let scope = format!("{}/.default", base.origin().ascii_serialization());
    let grant = Grant::client(&config.client, config.secret.reveal(), &scope);
    let client = shared.with_grant(base.clone(), grant, at)?;
    Ok(Box::new(Poller { sensor: section.name.clone(), log: SignIns(base), client, every: shared.every()? }))
}

impl Log for SignIns {
    fn name(&self) -> &'static str {
        ENTRY.kind
    }

    fn overlap(&self) -> Duration {
        Duration::from_secs(2 * 3600)
    }

    fn address(&self, since: Timestamp) -> Option<Url> {
        let mut url = self.0.join("/v1.0/auditLogs/signIns").ok()?;
        url.query_pairs_mut()
            .append_pair("$filter", &format!("createdDateTime ge {since:.0}"))
            .append_pair("$orderby", "createdDateTime asc")
            .append_pair("$top", "500");
        Some(url)
    }

    fn page(&self, _: &HeaderMap, body: &Value) -> Result<Page, &'static str> {
        let events = body["value"].as_array().cloned().ok_or("expected value: an array of sign-ins")?;
        let next = match &body["@odata.nextLink"] {
            Value::Null => None,
            Value::String(text) => Some(Url::parse(text).map_err(|_| "expected @odata.nextLink: an address")?),
            _ => return Err("expected @odata.nextLink: an address"),
        };
        Ok(Page { events, next })
    }

    fn mark<'event>(&self, event: &'event Value) -> Option<(&'event str, &'event str)> {
        Some((event["id"].as_str()?, event["createdDateTime"].as_str()?))
    }
}
