//! Logins to a Google Workspace, from the Reports API. Pages follow each other by `nextPageToken`, the newest first. Events
//! may come hours after they happened.

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
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use webhooks::oauth::Grant;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "google_workspace", about: "polls the logins to a Google Workspace", build };

const BASE: &str = "https://admin.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/admin.reports.audit.readonly";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    service_account: Secret,
    administrator: String,
}

/// The log of logins to one Workspace.
pub struct Reports {
    base: Url,
    /// Since when this look reads: each page is asked for by all that the first was.
    since: Mutex<Timestamp>,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (shared, config): (config::Shared, Config) = config::read(section)?;
    let base = shared.base(Some(BASE))?;
    let wrong = |what: &str| {
        SectionError::new("service_account", format!("{what}: a service account's key file (JSON) is expected"))
    };
    if !config.administrator.contains('@') {
        return Err(SectionError::new("administrator", "expected the address of one who may read reports"));
    }
    let (grant, at) =
        Grant::account(config.service_account.reveal(), SCOPE, Some(&config.administrator)).map_err(wrong)?;
    let at = shared.address(&at).ok_or_else(|| wrong("its token_uri is not taken"))?;
    let client = shared.with_grant(base.clone(), grant, at)?;
    let log = Reports { base, since: Mutex::new(Timestamp::UNIX_EPOCH) };
    Ok(Box::new(Poller { sensor: section.name.clone(), log, client, every: shared.every()? }))
}

impl Reports {
    fn at(&self, page: Option<&str>) -> Option<Url> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let mut url = self.base.join("/admin/reports/v1/activity/users/all/applications/login").ok()?;
        url.query_pairs_mut().append_pair("startTime", &format!("{since:.3}")).append_pair("maxResults", "1000");
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("pageToken", page);
        }
        Some(url)
    }
}

impl Log for Reports {
    fn name(&self) -> &'static str {
        ENTRY.kind
    }

    fn overlap(&self) -> Duration {
        Duration::from_secs(4 * 3600)
    }

    fn address(&self, since: Timestamp) -> Option<Url> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
        self.at(None)
    }

    fn page(&self, _: &HeaderMap, body: &Value) -> Result<Page, &'static str> {
        if !body.is_object() {
            return Err("expected an object with items");
        }
        // Where there is nothing, there are no items either.
        let events = body["items"].as_array().cloned().unwrap_or_default();
        let next = body["nextPageToken"].as_str().filter(|page| !page.is_empty()).and_then(|page| self.at(Some(page)));
        Ok(Page { events, next })
    }

    fn mark<'event>(&self, event: &'event Value) -> Option<(&'event str, &'event str)> {
        Some((event["id"]["uniqueQualifier"].as_str()?, event["id"]["time"].as_str()?))
    }
}
