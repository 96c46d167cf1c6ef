//! Mail and messages that a provider has received for us, and posts to the API. Each provider is a sensor of its own kind,
//! with its own proof that it is the one who posts: what is not proven leaves nothing. What a provider's post looks like
//! stands in `shapes`, apart from the proof: who has an API token may post in the same shapes.

pub mod config;
pub mod form;
pub mod letter;
pub mod proof;
pub mod seen;
pub mod shapes;

use crate::sensors::sensor::{Reporter, Running, Sensor};
use async_trait::async_trait;
use form::{Field, Form};
use hyper::HeaderMap;
use jiff::Timestamp;
use letter::Letter;
use seen::Seen;
use shapes::Shape;
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

/// What is known of a request before its body is read.
pub struct Head<'a> {
    pub headers: &'a HeaderMap,
    pub query: &'a [Field],
}

impl Head<'_> {
    /// The content type without what it is qualified by.
    pub fn content_type(&self) -> String {
        let kind = self.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// What the head alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// It may be the provider's: its body is worth reading.
    Possible,
    /// It is another's.
    Strange,
    /// It bears a proof, which is wrong.
    Wrong(&'static str),
}

impl Glance {
    /// Possible if so, and otherwise strange.
    pub fn possible_if(so: bool) -> Glance {
        if so { Glance::Possible } else { Glance::Strange }
    }
}

/// Why a request is not taken; fixed words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not proven to be the provider's.
    Unproven(&'static str),
    /// It is the provider's, and too old or from the future: overheard by somebody, or a clock is wrong.
    Stale,
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
    /// How its requests look.
    fn shape(&self) -> &'static Shape;

    /// What the head tells, so that nobody's body takes memory.
    fn glance(&self, head: &Head<'_>) -> Glance;

    /// Whether it can post JSON.
    fn posts_json(&self) -> bool {
        false
    }

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

/// Such a provider, as a sensor. Nothing of it runs, for the API receives what is posted.
pub struct Posting<P>(pub P);

#[async_trait]
impl<P: Inbound> Sensor for Posting<P> {
    async fn start(self: Box<Self>, _: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        let task = tokio::spawn(async move {
            stop.cancelled().await;
            Ok(())
        });
        Ok(Running { address: None, task })
    }

    fn inbound(&self) -> Option<&dyn Inbound> {
        Some(&self.0)
    }
}
