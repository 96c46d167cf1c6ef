//! Mail that Amazon SES hands on by SNS, which posts it to `/api/v1/mail`. SNS signs with a certificate that it names: it is
//! fetched from SNS's own hosts and nowhere else, and so is the confirmation of a subscription, for configured topics alone.

pub mod certificate;
pub mod signed;

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Taken, proof,
            seen::Seen,
            shapes::{Shape, ses::SHAPE},
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use certificate::{Fetch, Kept, Outside, is_of_topic};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use url::Url;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "ses", about: "mail that Amazon SES posts to the API by SNS", build };

/// SNS tries again for an hour, under the time of its first try.
const WINDOW: SignedDuration = SignedDuration::from_mins(65);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    topics: Vec<String>,
}

/// SES behind SNS.
pub struct Ses {
    topics: Vec<String>,
    certificates: Kept,
    fetch: Arc<dyn Fetch>,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let is_topic = |topic: &String| topic.starts_with("arn:aws") && topic.split(':').count() == 6;
    if config.topics.is_empty() || !config.topics.iter().all(is_topic) {
        let expected = "expected the topics that mail comes by, such as [\"arn:aws:sns:eu-west-1:123456789012:mail\"]";
        return Err(SectionError::new("topics", expected));
    }
    Ok(Box::new(Posting(Ses::new(config.topics, Arc::new(Outside::default())))))
}

impl Ses {
    /// One for these topics, which asks SNS by `fetch`.
    pub fn new(topics: Vec<String>, fetch: Arc<dyn Fetch>) -> Ses {
        let seen = Seen::new(Duration::from_secs(2 * 3600));
        Ses { topics, certificates: Kept::default(), fetch, seen }
    }

    async fn prove(&self, json: &Value, now: Timestamp) -> Result<(), Refusal> {
        let wrong = Refusal::Unproven("wrong_signature");
        let text = |name: &str| json[name].as_str().unwrap_or_default();
        // Asked first: for a stranger's topic nothing is fetched.
        if !self.topics.iter().any(|topic| topic == text("TopicArn")) {
            return Err(Refusal::Unproven("strange_topic"));
        }
        let at: Timestamp = text("Timestamp").parse().map_err(|_| wrong)?;
        if now.duration_since(at).abs() > WINDOW {
            return Err(Refusal::Unproven("stale"));
        }
        let own = |url: &Url| is_of_topic(url, text("TopicArn"));
        let url = Url::parse(text("SigningCertURL")).ok().filter(own).ok_or(wrong)?;
        if !url.path().ends_with(".pem") {
            return Err(wrong);
        }
        let certificate = self.certificates.get(&url, self.fetch.as_ref()).await.map_err(Refusal::Later)?;
        if signed::is_signed(json, &certificate) { Ok(()) } else { Err(wrong) }
    }

    async fn confirm(&self, json: &Value) -> Result<(), Refusal> {
        let own = |url: &Url| is_of_topic(url, json["TopicArn"].as_str().unwrap_or_default());
        let url = json["SubscribeURL"].as_str().and_then(|text| Url::parse(text).ok()).filter(own);
        let asks =
            |url: &Url| url.query_pairs().any(|(name, value)| name == "Action" && value == "ConfirmSubscription");
        let url = url.filter(asks).ok_or(Refusal::Unproven("strange_address"))?;
        match self.fetch.fetch(&url).await {
            Some(_) => Ok(()),
            None => Err(Refusal::Later("the subscription could not be confirmed")),
        }
    }
}

#[async_trait]
impl Inbound for Ses {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        let shown = head.headers.contains_key("x-amz-sns-message-type");
        Glance::possible_if(shown || ["text/plain", "application/json"].contains(&head.content_type().as_str()))
    }

    fn posts_json(&self) -> bool {
        true
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let json = call.form.json.as_ref().ok_or(Refusal::Unproven("wrong_signature"))?;
        self.prove(json, call.now).await?;
        if json["Type"] == "SubscriptionConfirmation" {
            self.confirm(json).await?;
        }
        let letters = (SHAPE.read)(call).map_err(Refusal::Unreadable)?;
        let part = |name: &str| json[name].as_str().unwrap_or_default().as_bytes();
        Ok(Taken { letters, once: proof::mark(&[part("TopicArn"), part("Type"), part("MessageId")]) })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }
}
