//! Messages and calls to numbers at Twilio, which it posts to `/api/v1/sms`. Its signature is over the address that it was given
//! and all fields. A call is rejected: nobody answers, and the house pays nothing.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Reply, Taken, config,
            form::Field,
            proof,
            seen::Seen,
            shapes::{
                Shape,
                twilio::{SHAPE, SIGNATURE, is_call},
            },
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use data_encoding::BASE64;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "twilio", about: "messages and calls to numbers at Twilio", build };

const MESSAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";
const CALL: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Reject/></Response>";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    auth_token: Secret,
}

/// Twilio.
pub struct Twilio {
    /// As Twilio was given it, and its other spelling: with the port, or without.
    addresses: Vec<String>,
    auth_token: Secret,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let url = Url::parse(&config.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| {
        SectionError::new(
            "url",
            "expected the address that Twilio was given, such as https://in.example.org/api/v1/sms",
        )
    })?;
    let auth_token = config::given("auth_token", config.auth_token)?;
    let mut addresses = vec![config.url.clone()];
    if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) {
        let rest = &url[url::Position::BeforePath..];
        addresses.push(format!("{}://{host}:{port}{rest}", url.scheme()));
        addresses.push(format!("{}://{host}{rest}", url.scheme()));
    }
    Ok(Box::new(Posting(Twilio { addresses, auth_token, seen: Seen::new(Duration::from_secs(24 * 3600)) })))
}

#[async_trait]
impl Inbound for Twilio {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        Glance::possible_if(head.headers.contains_key(SIGNATURE))
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let code = BASE64.decode(call.header(SIGNATURE).unwrap_or_default().trim().as_bytes()).unwrap_or_default();
        let mut fields: Vec<&Field> = call.form.fields.iter().collect();
        fields.sort_by(|one, other| (&one.name, &one.value).cmp(&(&other.name, &other.value)));
        // A field that is there twice with the same value is signed once.
        fields.dedup_by(|one, other| one.name == other.name && one.value == other.value);
        let parts: Vec<&[u8]> = fields.iter().flat_map(|field| [field.name.as_bytes(), &field.value]).collect();
        let key = self.auth_token.reveal().as_bytes();
        // Every spelling is tried whatever was found before.
        let proven = self.addresses.iter().fold(false, |proven, address| {
            let signed: Vec<&[u8]> = std::iter::once(address.as_bytes()).chain(parts.iter().copied()).collect();
            proof::hmac_sha1(key, &signed, &code) | proven
        });
        if !proven {
            return Err(Refusal::Unproven("wrong_signature"));
        }
        let letters = (SHAPE.read)(call).map_err(Refusal::Unreadable)?;
        // What was signed has no bounds between names and values: cut otherwise, it is the same request.
        let once = proof::mark(&[&parts.concat()]);
        Ok(Taken { letters, once })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }

    fn reply(&self, call: &Call<'_>) -> Reply {
        Reply { content_type: "text/xml", body: if is_call(call) { CALL } else { MESSAGE } }
    }
}
