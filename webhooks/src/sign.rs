//! Signing an outgoing webhook as Standard Webhooks asks: HMAC-SHA256 `v1` for each shared secret, Ed25519 `v1a` for
//! a private key, all in one header, so that a receiver may check with whichever it holds while keys are exchanged.

use crate::keys::{HmacKey, SigningKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs with every key it holds.
#[derive(Clone, Debug, Default)]
pub struct Signer {
    /// The secret in use first, then those that are still honoured.
    pub secrets: Vec<HmacKey>,
    /// The private key, where the receivers hold its public half.
    pub signing_key: Option<SigningKey>,
}

/// The three headers of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// `webhook-id`: the same at every attempt.
    pub id: String,
    /// `webhook-timestamp`: the attempt's own time.
    pub timestamp: String,
    /// `webhook-signature`: one or more, spaces between.
    pub signature: String,
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A dot would let two different messages have one signature; a space or control character breaks the header.
    #[error("a webhook id is made of visible ASCII characters other than the dot")]
    Id,
    /// Nothing to sign with.
    #[error("no key to sign with: give a secret (whsec_…), a signing key (whsk_…) or both")]
    NoKey,
}

impl Signer {
    /// Signs `body`, byte for byte as it will be sent. `timestamp` is in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<Signed, SignError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.') {
            return Err(SignError::Id);
        }
        let mut signatures = Vec::new();
        for secret in &self.secrets {
            signatures
                .push(format!("v1,{}", STANDARD.encode(hmac(secret, id, timestamp, body).finalize().into_bytes())));
        }
        if let Some(key) = &self.signing_key {
            let signature = key.0.sign(&content(id, timestamp, body));
            signatures.push(format!("v1a,{}", STANDARD.encode(signature.to_bytes())));
        }
        if signatures.is_empty() {
            return Err(SignError::NoKey);
        }
        Ok(Signed { id: id.to_owned(), timestamp: timestamp.to_string(), signature: signatures.join(" ") })
    }
}

/// What Ed25519 signs.
pub(crate) fn content(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    content
}

/// The keyed hash of the same content.
pub(crate) fn hmac(secret: &HmacKey, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.bytes()).expect("HMAC takes keys of every length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_gives_its_published_signature() {
        // Of the Standard Webhooks libraries' own tests.
        let signer = Signer {
            secrets: vec![HmacKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()],
            signing_key: None,
        };
        let signed = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_key_signs() {
        let signer = Signer {
            secrets: vec![
                HmacKey::parse(&format!("whsec_{}", STANDARD.encode([1; 32]))).unwrap(),
                HmacKey::parse(&format!("whsec_{}", STANDARD.encode([2; 32]))).unwrap(),
            ],
            signing_key: Some(SigningKey::parse(&format!("whsk_{}", STANDARD.encode([3; 32]))).unwrap()),
        };
        let signed = signer.sign("a-1", 1_800_000_000, b"{}").unwrap();
        let kinds: Vec<_> = signed.signature.split(' ').map(|one| one.split(',').next().unwrap()).collect();
        assert_eq!(kinds, ["v1", "v1", "v1a"]);
    }

    #[test]
    fn an_id_that_could_forge_the_content_is_refused() {
        let signer = Signer {
            secrets: vec![HmacKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()],
            signing_key: None,
        };
        for id in ["", "a.1", "a 1", "a\r\nx", "é"] {
            assert_eq!(signer.sign(id, 0, b""), Err(SignError::Id), "{id:?}");
        }
        assert_eq!(Signer::default().sign("a-1", 0, b""), Err(SignError::NoKey));
    }
}
