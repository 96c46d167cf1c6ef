//! Mail that Postmark posts to `/api/v1/mail`. It signs nothing: its proof is the user and the password in the address that it is
//! given. Each mail is taken once, by its number.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            self, Call, Inbound, Refusal, Taken, Takes, config, form, proof, seen::Seen, shapes::postmark::SHAPE,
        },
        sensor::{Entry, Reporter, Running, Sensor},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "postmark", about: "mail that Postmark posts to the API", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    user: String,
    password: Secret,
}

/// Postmark.
pub struct Postmark {
    presented: Secret,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    if config.user.is_empty() || config.user.contains(':') {
        return Err(SectionError::new("user", "expected a name without a colon, as in https://user:password@…"));
    }
    let password = config::given("password", config.password)?;
    let presented = Secret::new(format!("{}:{}", config.user, password.reveal()));
    Ok(Box::new(Postmark { presented, seen: Seen::new(Duration::from_secs(24 * 3600)) }))
}

#[async_trait]
impl Sensor for Postmark {
    async fn start(self: Box<Self>, _: Reporter, stop: CancellationToken) -> anyhow::Result<Running> {
        Ok(inbound::running(stop))
    }

    fn inbound(&self) -> Option<&dyn Inbound> {
        Some(self)
    }
}

#[async_trait]
impl Inbound for Postmark {
    fn takes(&self) -> Takes {
        SHAPE.takes
    }

    fn recognises(&self, call: &Call<'_>) -> bool {
        (SHAPE.is)(call)
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let presented = form::basic(call.headers).unwrap_or_default();
        if !proof::same(&presented, self.presented.reveal().as_bytes()) {
            return Err(Refusal::Unproven("wrong_password"));
        }
        let letters = (SHAPE.read)(call).map_err(Refusal::Unreadable)?;
        // Without a number a mail is known by all of it.
        let number = call.form.anywhere("MessageID").unwrap_or_default();
        let once = if number.is_empty() { proof::mark(&[call.body]) } else { proof::mark(&[number.as_bytes()]) };
        Ok(Taken { letters, once })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }
}
