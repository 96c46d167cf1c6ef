//! Reading the log of logins that an identity provider in a cloud keeps: asked again and again, page by page, each event told
//! once. What is common to all of them stands here; how each is asked and answers, in its own file beside.

pub mod client;
pub mod config;
pub mod place;
pub mod poll;

use jiff::Timestamp;
use reqwest::{Url, header::HeaderMap};
use serde_json::Value;
use std::time::Duration;

/// One page of a log.
pub struct Page {
    pub events: Vec<Value>,
    /// Where the next one is; none after the last.
    pub next: Option<Url>,
}

/// A provider's log.
pub trait Log: Send + Sync {
    /// The provider, as the service of what it tells.
    fn name(&self) -> &'static str;

    /// Events may come so much later than they happened: that much is read again.
    fn overlap(&self) -> Duration;

    /// Where all events since this time are to be had.
    fn address(&self, since: Timestamp) -> Option<Url>;

    /// Reads a page; or says what was expected.
    fn page(&self, headers: &HeaderMap, body: &Value) -> Result<Page, &'static str>;

    /// What marks an event, and when it happened.
    fn mark<'event>(&self, event: &'event Value) -> Option<(&'event str, &'event str)>;

    /// How long it asks to be left alone after a good answer.
    fn pause(&self, _headers: &HeaderMap, _now: Timestamp) -> Duration {
        Duration::ZERO
    }
}
