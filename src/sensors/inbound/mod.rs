//! Mail and messages that a provider has received for us, and posts to the API. Each provider is a sensor of its own kind,
//! with its own proof that it is the one who posts: what is not proven leaves nothing. What a provider's post looks like
//! stands in `shapes`, apart from the proof: a sender with an API token may post the same.

pub mod config;
pub mod form;
pub mod letter;
pub mod proof;
pub mod seen;
pub mod shapes;

use crate::sensors::sensor::Running;
use async_trait::async_trait;
use form::Form;
use hyper::HeaderMap;
use jiff::Timestamp;
use letter::Letter;
use seen::Seen;
use tokio_util::sync::CancellationToken;

/// What arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// At `/api/v1/mail`.
    Mail,
    /// At `/api/v1/sms`: messages and calls.
    Sms,
}

/// One request, read but not believed.
pub struct Call<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub form: &'a Form,
    pub now: Timestamp,
}

impl Call<'_> {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why a request is not taken; fixed words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not proven to be the provider's, or proven too long ago.
    Unproven(&'static str),
    /// The provider's, and nothing that can be read.
    Unreadable(&'static str),
    /// It cannot be told now.
    Later(&'static str),
}

/// What a proven request held.
pub struct Taken {
    pub letters: Vec<Letter>,
    /// What marks this request and no other: it is taken once.
    pub once: [u8; 32],
}

/// How the provider is answered, whatever it posted.
pub struct Reply {
    pub content_type: &'static str,
    pub body: &'static str,
}

/// A provider that posts.
#[async_trait]
pub trait Inbound: Send + Sync {
    /// What it posts.
    fn takes(&self) -> Takes;

    /// Whether a request looks like its own; nothing is proven by that.
    fn recognises(&self, call: &Call<'_>) -> bool;

    /// Proves a request, and reads it.
    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal>;

    /// What was taken of late.
    fn seen(&self) -> &Seen;

    /// Who vouches for what it tells, and the service that it is.
    fn reporter(&self) -> &'static str;

    /// The answer to a request that was taken.
    fn reply(&self, _call: &Call<'_>) -> Reply {
        Reply { content_type: "application/json", body: "{}" }
    }
}

/// What runs of such a sensor: nothing, for the API receives what is posted.
pub fn running(stop: CancellationToken) -> Running {
    let task = tokio::spawn(async move {
        stop.cancelled().await;
        Ok(())
    });
    Running { address: None, task }
}
