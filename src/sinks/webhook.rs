//! Alerts as signed JSON to any HTTP receiver, as Standard Webhooks describes. Thin: canary ids, stores, kinds of
//! markers, source addresses and services; a marker's value only where `reveal = true` asks for it.

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
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use std::path::PathBuf;
use webhooks::{HmacKey, Signer, SigningKey};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "webhook",
    about: "signed JSON to any HTTP receiver (Standard Webhooks)",
    build: Webhook::build,
    gathers: true,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Option<Address>,
    secret: Option<Secret>,
    previous_secret: Option<Secret>,
    signing_key: Option<Secret>,
    ca: Option<PathBuf>,
}

struct Webhook {
    options: Options,
    host: String,
    post: Post,
    signer: Signer,
}

impl Webhook {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let mut signer = Signer::default();
        for (key, secret) in [("secret", &config.secret), ("previous_secret", &config.previous_secret)] {
            if let Some(secret) = secret {
                let secret =
                    HmacKey::parse(secret.reveal()).map_err(|error| SectionError::new(key, error.to_string()))?;
                signer.secrets.push(secret);
            }
        }
        if let Some(key) = &config.signing_key {
            let key = SigningKey::parse(key.reveal());
            signer.signing_key = Some(key.map_err(|error| SectionError::new("signing_key", error.to_string()))?);
        }
        if config.secret.is_none() && signer.signing_key.is_none() {
            return Err(SectionError::new("secret", "give a secret (whsec_…), a signing_key (whsk_…) or both"));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let url = config.url.ok_or_else(|| SectionError::new("url", "is missing: give the receiver's address"))?;
        let post = Post::new(url.reveal(), &options, authority)?;
        Ok(Box::new(Webhook { options, host: url.host(), post, signer }))
    }
}

#[async_trait]
impl Sink for Webhook {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let body = body(alert).to_string().into_bytes();
        let signed = self
            .signer
            .sign(&alert.id, Timestamp::now().as_second(), &body)
            .map_err(|error| SinkError::GiveUp { why: error.to_string(), status: None })?;
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", signed.id.as_str()),
            ("webhook-timestamp", signed.timestamp.as_str()),
            ("webhook-signature", signed.signature.as_str()),
        ];
        settle(&self.host, self.post.send(&headers, body).await?)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
