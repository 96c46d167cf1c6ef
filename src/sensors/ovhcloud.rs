//! Messages to numbers at OVHcloud, which it brings to `/api/v1/sms`. It signs nothing: its proof is the operator's own key in the
//! address that it is given, `…/api/v1/sms?key=…`. Each message is taken once.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Taken, config,
            form::Field,
            proof,
            seen::Seen,
            shapes::{
                Shape,
                ovhcloud::{KEY, SHAPE},
            },
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use std::time::Duration;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "ovhcloud", about: "messages to numbers at OVHcloud", build };

/// A key that nobody guesses.
const SHORTEST: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    key: Secret,
}

/// OVHcloud.
pub struct Ovhcloud {
    key: Secret,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let key = config::given("key", config.key)?;
    if key.reveal().len() < SHORTEST {
        return Err(SectionError::new("key", format!("expected {SHORTEST} characters at least, drawn by chance")));
    }
    Ok(Box::new(Posting(Ovhcloud { key, seen: Seen::new(Duration::from_secs(600)) })))
}

#[async_trait]
impl Inbound for Ovhcloud {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        match head.query.iter().find(|field| field.name == KEY) {
            Some(field) if proof::same(&field.value, self.key.reveal().as_bytes()) => Glance::Possible,
            Some(_) => Glance::Wrong("wrong_key"),
            None => Glance::Strange,
        }
    }

    fn posts_json(&self) -> bool {
        true
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let told = call.form.query.iter().find(|field| field.name == KEY);
        let presented = told.map_or(&[][..], |field| &field.value);
        if !proof::same(presented, self.key.reveal().as_bytes()) {
            return Err(Refusal::Unproven("wrong_key"));
        }
        let letters = (SHAPE.read)(call).map_err(Refusal::Unreadable)?;
        let parts = |fields: &'_ [Field]| {
            let parts = fields.iter().filter(|field| field.name != KEY);
            proof::mark(&parts.flat_map(|field| [field.name.as_bytes(), &field.value]).collect::<Vec<&[u8]>>())
        };
        Ok(Taken { letters, once: proof::mark(&[&parts(&call.form.query), &parts(&call.form.fields), call.body]) })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }
}
