//! Mail that Postmark posts to `/api/v1/mail`. It signs nothing: its proof is the user and the password in the address that it is
//! given. Each mail is taken once, by its number.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Taken, config, form, proof,
            seen::Seen,
            shapes::{Shape, postmark::SHAPE},
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::time::Duration;

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
    Ok(Box::new(Posting(Postmark { presented, seen: Seen::new(Duration::from_secs(24 * 3600)) })))
}

impl Postmark {
    fn is_own(&self, presented: &[u8]) -> bool {
        proof::same(presented, self.presented.reveal().as_bytes())
    }
}

#[async_trait]
impl Inbound for Postmark {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        match form::basic(head.headers) {
            Some(presented) if self.is_own(&presented) => Glance::Possible,
            Some(_) => Glance::Wrong("wrong_password"),
            None => Glance::Strange,
        }
    }

    fn posts_json(&self) -> bool {
        true
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        if !form::basic(call.headers).is_some_and(|presented| self.is_own(&presented)) {
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
