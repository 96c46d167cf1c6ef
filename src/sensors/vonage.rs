//! Messages and calls to numbers at Vonage, which it posts to `/api/v1/sms`. The Messages and Voice APIs sign with a JWT that
//! bears a digest of the body; the SMS API with a code over all fields. A call is hung up.

use crate::{
    domain::{
        secret::Secret,
        section::{Section, SectionError},
    },
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Posting, Refusal, Reply, Taken, config,
            form::{Field, Form},
            proof::{self, WINDOW},
            seen::Seen,
            shapes::{
                Shape,
                vonage::{SHAPE, is_call},
            },
        },
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry { kind: "vonage", about: "messages and calls to numbers at Vonage", build };

const WRONG: Refusal = Refusal::Unproven("wrong_signature");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    signature_secret: Secret,
    #[serde(default)]
    method: Method,
}

/// How the SMS API signs, as the account says.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Md5hash,
    Md5,
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

/// Vonage.
pub struct Vonage {
    signature_secret: Secret,
    method: Method,
    seen: Seen,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let signature_secret = config::given("signature_secret", config.signature_secret)?;
    Ok(Box::new(Posting(Vonage {
        signature_secret,
        method: config.method,
        seen: Seen::new(Duration::from_secs(3600)),
    })))
}

impl Vonage {
    fn key(&self) -> &[u8] {
        self.signature_secret.reveal().as_bytes()
    }

    /// A JWT in the header; answers what marks it.
    fn by_token(&self, call: &Call<'_>, token: &str) -> Result<[u8; 32], Refusal> {
        let (signed, code) = token.rsplit_once('.').ok_or(WRONG)?;
        let (head, claims) = signed.split_once('.').ok_or(WRONG)?;
        let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| WRONG);
        let read = |text: &str| serde_json::from_slice::<Value>(&part(text)?).map_err(|_| WRONG);
        if !proof::hmac_sha256(self.key(), &[signed.as_bytes()], &part(code)?) || read(head)?["alg"] != "HS256" {
            return Err(WRONG);
        }
        let claims = read(claims)?;
        if !proof::is_near(&claims["iat"].to_string(), call.now, WINDOW) {
            return Err(Refusal::Stale);
        }
        let digest = HEXLOWER.encode(&Sha256::digest(call.body));
        let told = claims["payload_hash"].as_str().map(str::to_ascii_lowercase);
        match told {
            Some(told) if proof::same(told.as_bytes(), digest.as_bytes()) => {}
            _ => return Err(WRONG),
        }
        Ok(proof::mark(&[signed.as_bytes()]))
    }

    /// `sig` among the fields.
    fn by_fields(&self, call: &Call<'_>) -> Result<[u8; 32], Refusal> {
        let mut fields: Vec<(String, String)> = match &call.form.json {
            Some(Value::Object(object)) => {
                object.iter().filter_map(|(name, _)| Some((name.clone(), call.form.anywhere(name)?))).collect()
            }
            _ => {
                let text = |field: &Field| String::from_utf8_lossy(&field.value).into_owned();
                let all = call.form.fields.iter().chain(&call.form.query);
                all.map(|field| (field.name.clone(), text(field))).collect()
            }
        };
        let code =
            fields.iter().find(|(name, _)| name == "sig").map(|(_, code)| code.trim().to_owned()).ok_or(WRONG)?;
        fields.retain(|(name, _)| name != "sig");
        fields.sort();
        let mut signed = String::new();
        for (name, value) in &fields {
            signed.push_str(&format!("&{name}={}", value.replace(['&', '='], "_")));
        }
        let signed = signed.as_bytes();
        let code = HEXLOWER_PERMISSIVE.decode(code.as_bytes()).map_err(|_| WRONG)?;
        let proven = match self.method {
            Method::Md5hash => proof::same(&Md5::digest([signed, self.key()].concat()), &code),
            Method::Md5 => proof::hmac_md5(self.key(), &[signed], &code),
            Method::Sha1 => proof::hmac_sha1(self.key(), &[signed], &code),
            Method::Sha256 => proof::hmac_sha256(self.key(), &[signed], &code),
            Method::Sha512 => proof::hmac_sha512(self.key(), &[signed], &code),
        };
        if !proven {
            return Err(WRONG);
        }
        let at = fields.iter().find(|(name, _)| name == "timestamp").map_or("", |(_, at)| at.as_str());
        if !proof::is_near(at, call.now, WINDOW) {
            return Err(Refusal::Stale);
        }
        Ok(proof::mark(&[signed]))
    }
}

#[async_trait]
impl Inbound for Vonage {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn glance(&self, head: &Head<'_>) -> Glance {
        // Its code may stand in the address or in the body.
        let signed = head.headers.contains_key("authorization") || head.query.iter().any(|field| field.name == "sig");
        Glance::possible_if(
            signed || ["application/x-www-form-urlencoded", "application/json"].contains(&head.content_type().as_str()),
        )
    }

    fn posts_json(&self) -> bool {
        true
    }

    async fn read(&self, call: &Call<'_>) -> Result<Taken, Refusal> {
        let Some(token) = call.header("authorization").and_then(|text| text.strip_prefix("Bearer ")) else {
            let once = self.by_fields(call)?;
            return Ok(Taken { letters: (SHAPE.read)(call).map_err(Refusal::Unreadable)?, once });
        };
        let once = self.by_token(call, token.trim())?;
        // The body is proven, and nothing that stands in the address.
        let form = Form::read(call.headers, Vec::new(), &Bytes::copy_from_slice(call.body), true).await;
        let letters = (SHAPE.read)(&Call { form: &form, ..*call }).map_err(Refusal::Unreadable)?;
        Ok(Taken { letters, once })
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn reporter(&self) -> &'static str {
        ENTRY.kind
    }

    fn reply(&self, call: &Call<'_>) -> Reply {
        // What is to be done with a call: nothing, so it ends.
        Reply { content_type: "application/json", body: if is_call(call) { "[]" } else { "{}" } }
    }
}
