//! Mail that SendGrid's Inbound Parse posts to `/api/v1/mail`, under a security policy with a signature: ECDSA over a time and
//! the whole body.

use crate::{
    domain::section::{Section, SectionError},
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Taken,
            proof::{self, WINDOW},
            seen::Seen,
            shapes::{
                Shape,
                sendgrid::{SHAPE, SIGNATURE, TIMESTAMP},
            },
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use serde::Deserialize;
use std::time::Duration;
use webpki::RawPublicKeyEntity;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "sendgrid", about: "mail that SendGrid's Inbound Parse posts to the API", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    public_key: String,
}

/// SendGrid.
pub struct Sendgrid {
    public_key: SubjectPublicKeyInfoDer<'static>,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let wrong = || {
        let expected = "expected the public key of the security policy, as SendGrid shows it (base64, or PEM)";
        SectionError::new("public_key", expected)
    };
    let lines = config.public_key.lines().filter(|line| !line.starts_with("-----"));
    let text: String = lines.flat_map(str::split_whitespace).collect();
    let key = BASE64_MIME_PERMISSIVE.decode(text.as_bytes()).map_err(|_| wrong())?;
    let public_key = SubjectPublicKeyInfoDer::from(key);
    // Its curve shows when it verifies: a signature that cannot be right is asked for nothing else.
    match RawPublicKeyEntity::try_from(&public_key) {
        Ok(entity) if is_p256(&entity) => {}
        _ => return Err(wrong()),
    }
    Ok(Box::new(Posting(Sendgrid { public_key, seen: Seen::new(Duration::from_secs(3600)) })))
}

fn is_p256(entity: &RawPublicKeyEntity<'_>) -> bool {
    let error = entity.verify_signature(webpki::ring::ECDSA_P256_SHA256, b"", b"");
    matches!(error, Err(webpki::Error::InvalidSignatureForPublicKey))
}

#[async_trait]
impl Inbound for Sendgrid {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        Glance::possible_if(head.headers.contains_key(SIGNATURE))
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let unproven = Refusal::Unproven("wrong_signature");
        let timestamp = call.header(TIMESTAMP).unwrap_or_default();
        let signature = BASE64.decode(call.header(SIGNATURE).unwrap_or_default().trim().as_bytes());
        let signature = signature.map_err(|_| unproven)?;
        let signed = [timestamp.as_bytes(), call.body].concat();
        let entity = RawPublicKeyEntity::try_from(&self.public_key).map_err(|_| unproven)?;
        entity.verify_signature(webpki::ring::ECDSA_P256_SHA256, &signed, &signature).map_err(|_| unproven)?;
        if !proof::is_near(timestamp, call.now, WINDOW) {
            return Err(Refusal::Stale);
        }
        let letters = (SHAPE.read)(call).map_err(Refusal::Unreadable)?;
        // Of one signature another can be made that is as right: what was signed is the mark.
        Ok(Taken { letters, once: proof::mark(&[&signed]) })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }
}
