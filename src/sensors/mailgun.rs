//! Mail that Mailgun's Routes post to `/api/v1/mail`. Its signature is over a time and a random text, not over the mail: so each
//! is taken once, and none that is older than five minutes.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            self, Call, Inbound, Refusal, Taken, Takes, config,
            proof::{self, WINDOW},
            seen::Seen,
            shapes::mailgun::SHAPE,
        },
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "mailgun", about: "mail that Mailgun's Routes post to the API", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    signing_key: Secret,
}

/// Mailgun.
pub struct Mailgun {
    signing_key: Secret,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let signing_key = config::given("signing_key", config.signing_key)?;
    Ok(Box::new(Mailgun { signing_key, seen: Seen::new(Duration::from_secs(3600)) }))
}

#[async_trait]
impl Sensor for Mailgun {
    async fn start(self: Box<Self>, _: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        Ok(inbound::running(stop))
    }

    fn inbound(&self) -> Option<&dyn Inbound> {
        Some(self)
    }
}

#[async_trait]
impl Inbound for Mailgun {
    fn takes(&self) -> Takes {
        SHAPE.takes
    }

    fn recognises(&self, call: &Call<'_>) -> bool {
        (SHAPE.is)(call)
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let field = |name: &str| call.form.bytes(name).unwrap_or_default();
        let (timestamp, token) = (field("timestamp"), field("token"));
        let code = HEXLOWER_PERMISSIVE.decode(field("signature")).unwrap_or_default();
        if !proof::hmac_sha256(self.signing_key.reveal().as_bytes(), &[timestamp, token], &code) {
            return Err(Refusal::Unproven("wrong_signature"));
        }
        if !proof::is_near(&String::from_utf8_lossy(timestamp), call.now, WINDOW) {
            return Err(Refusal::Unproven("stale"));
        }
        let letters = (SHAPE.read)(call).map_err(Refusal::Unreadable)?;
        Ok(Taken { letters, once: proof::mark(&[timestamp, token]) })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }
}
