//! The System Log of an Okta organisation: logins to everything that Okta lets people into. Pages follow each other by
//! `Link`; when Okta says that its limit is reached, it is left alone until it says so no more.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        cloud::{Log, Page, client, config, poll::Poller},
        outside,
        sensor::{Entry, Sensor},
    },
};
use jiff::Timestamp;
use reqwest::{Url, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "okta", about: "polls the System Log of an Okta organisation", build };

/// Of all that the log holds, what is a login.
const FILTER: &str = "eventType sw \"user.session.start\" or eventType sw \"user.authentication\"";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    token: Secret,
}

/// The log of one organisation.
pub struct SystemLog(Url);

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let (shared, config): (config::Shared, Config) = config::read(section)?;
    let base = shared.base(None)?;
    let value = Secret::new(format!("SSWS {}", config.token.reveal().trim()));
    let client = shared.with_value(base.clone(), &value)?;
    Ok(Box::new(Poller { sensor: section.name.clone(), log: SystemLog(base), client, every: shared.every()? }))
}

impl Log for SystemLog {
    fn name(&self) -> &'static str {
        ENTRY.kind
    }

    fn overlap(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn address(&self, since: Timestamp) -> Option<Url> {
        let mut url = self.0.join("/api/v1/logs").ok()?;
        url.query_pairs_mut()
            .append_pair("since", &format!("{since:.3}"))
            // Without an end the log never ends: its last page names a next one that is empty until something happens.
            .append_pair("until", &format!("{:.3}", Timestamp::now()))
            .append_pair("filter", FILTER)
            .append_pair("sortOrder", "ASCENDING")
            .append_pair("limit", "1000");
        Some(url)
    }

    fn page(&self, headers: &HeaderMap, body: &Value) -> Result<Page, &'static str> {
        let events = body.as_array().cloned().ok_or("expected an array of events")?;
        // The last page that holds nothing ends it, whatever it names.
        let next = if events.is_empty() { None } else { next(headers) };
        Ok(Page { events, next })
    }

    fn mark<'event>(&self, event: &'event Value) -> Option<(&'event str, &'event str)> {
        Some((event["uuid"].as_str()?, event["published"].as_str()?))
    }

    fn pause(&self, headers: &HeaderMap, now: Timestamp) -> Duration {
        let none_left = headers.get("x-rate-limit-remaining").is_some_and(|left| left == "0");
        if none_left {
            outside::wait(headers, now, client::LONGEST).unwrap_or(Duration::from_secs(60))
        } else {
            Duration::ZERO
        }
    }
}

/// The address that `Link` calls the next one. (RFC 8288; several may stand in one header, or in several.)
fn next(headers: &HeaderMap) -> Option<Url> {
    let links = headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|value| value.split(',')).find_map(|link| {
        let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = rest.split(';').any(|part| {
            let (name, value) = part.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        });
        is_next.then(|| Url::parse(address).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("link", value.parse().unwrap());
            }
            next(&headers).map(String::from)
        };
        let own = "<https://o.okta.com/api/v1/logs?limit=20>; rel=\"self\"";
        let wanted = "<https://o.okta.com/api/v1/logs?limit=20&after=1>; rel=\"next\"";
        let found = Some("https://o.okta.com/api/v1/logs?limit=20&after=1".to_owned());
        assert_eq!(read(&[own, wanted]), found);
        assert_eq!(read(&[&format!("{own}, {wanted}")]), found);
        assert_eq!(read(&[&wanted.replace('"', "")]), found);
        assert_eq!((read(&[own]), read(&["<x; rel=next"]), read(&[])), (None, None, None));
    }
}
