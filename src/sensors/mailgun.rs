//! Mail that Mailgun's Routes post to `/api/v1/mail`. Its signature is over a time and a random text, not over the mail: so each
//! is taken once, and none that is older than an hour.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Taken, config, proof,
            seen::Seen,
            shapes::{Shape, mailgun::SHAPE},
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::SignedDuration;
use serde::Deserialize;
use std::time::Duration;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "mailgun", about: "mail that Mailgun's Routes post to the API", build };

/// It tries again for hours what was not taken. Wider than this, whoever has overheard a post could use it for longer after a
/// restart.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// One from a clock that is ahead is right for two hours.
const KEPT: Duration = Duration::from_secs(3 * 3600);

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
    Ok(Box::new(Posting(Mailgun { signing_key, seen: Seen::new(KEPT) })))
}

#[async_trait]
impl Inbound for Mailgun {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        Glance::possible_if(
            ["application/x-www-form-urlencoded", "multipart/form-data"].contains(&head.content_type().as_str()),
        )
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let field = |name: &str| call.form.bytes(name).unwrap_or_default();
        let (timestamp, token) = (field("timestamp"), field("token"));
        let code = HEXLOWER_PERMISSIVE.decode(field("signature")).unwrap_or_default();
        if !proof::hmac_sha256(self.signing_key.reveal().as_bytes(), &[timestamp, token], &code) {
            return Err(Refusal::Unproven("wrong_signature"));
        }
        if !proof::is_near(&String::from_utf8_lossy(timestamp), call.now, WINDOW) {
            return Err(Refusal::Stale);
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
