//! Checking an incoming webhook: the inverse of `sign`. Compares in constant time, and refuses what is too old or too
//! new before it looks at any signature.

use crate::{
    keys::{HmacKey, PublicKey},
    sign::{content, hmac},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::Signature;
use hmac::Mac;

/// How far a webhook's own time may lie from ours, in seconds.
pub const TOLERANCE: i64 = 300;

/// More signatures than this in one header are not looked at.
const MOST_SIGNATURES: usize = 16;

/// Why a webhook was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// `webhook-timestamp` is not a number of seconds.
    #[error("webhook-timestamp is not a whole number of seconds")]
    Timestamp,
    /// Older than the tolerance.
    #[error("the webhook is older than {TOLERANCE} s")]
    TooOld,
    /// Further in the future than the tolerance.
    #[error("the webhook's time lies more than {TOLERANCE} s in the future: compare both clocks")]
    TooNew,
    /// No signature of a key that we hold.
    #[error("no signature of a known key fits")]
    NoMatch,
}

/// Checks with every key it holds; one fitting signature is enough.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    /// Shared secrets, in use or still honoured.
    pub secrets: Vec<HmacKey>,
    /// The sender's public keys.
    pub public_keys: Vec<PublicKey>,
}

impl Verifier {
    /// Checks the three headers against the body, byte for byte as received. `now` is in seconds since 1970.
    pub fn verify(&self, id: &str, timestamp: &str, signature: &str, body: &[u8], now: i64) -> Result<(), VerifyError> {
        let at: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
        if timestamp != at.to_string() {
            return Err(VerifyError::Timestamp);
        }
        if at < now.saturating_sub(TOLERANCE) {
            return Err(VerifyError::TooOld);
        }
        if at > now.saturating_add(TOLERANCE) {
            return Err(VerifyError::TooNew);
        }
        let fits = signature.split(' ').take(MOST_SIGNATURES).any(|one| match one.split_once(',') {
            Some(("v1", encoded)) => STANDARD.decode(encoded).is_ok_and(|bytes| {
                self.secrets.iter().any(|secret| hmac(secret, id, at, body).verify_slice(&bytes).is_ok())
            }),
            Some(("v1a", encoded)) => {
                STANDARD.decode(encoded).ok().and_then(|bytes| Signature::from_slice(&bytes).ok()).is_some_and(
                    |signature| {
                        let content = content(id, at, body);
                        self.public_keys.iter().any(|key| key.0.verify_strict(&content, &signature).is_ok())
                    },
                )
            }
            _ => false,
        });
        if fits { Ok(()) } else { Err(VerifyError::NoMatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::SigningKey, sign::Signer};
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn secret(byte: u8) -> HmacKey {
        HmacKey::parse(&format!("whsec_{}", STANDARD.encode([byte; 32]))).unwrap()
    }

    fn private() -> SigningKey {
        SigningKey::parse(&format!("whsk_{}", STANDARD.encode([3; 32]))).unwrap()
    }

    fn signer() -> Signer {
        Signer { secrets: vec![secret(1), secret(2)], signing_key: Some(private()) }
    }

    #[test]
    fn each_key_alone_is_enough() {
        let signed = signer().sign("a-1", NOW, b"{}").unwrap();
        let verifiers = [
            Verifier { secrets: vec![secret(1)], public_keys: vec![] },
            Verifier { secrets: vec![secret(2)], public_keys: vec![] },
            Verifier { secrets: vec![], public_keys: vec![private().public()] },
        ];
        for verifier in verifiers {
            let check = |id, body, now| verifier.verify(id, &signed.timestamp, &signed.signature, body, now);
            assert_eq!(check("a-1", b"{}", NOW), Ok(()));
            assert_eq!(check("a-2", b"{}", NOW), Err(VerifyError::NoMatch));
            assert_eq!(check("a-1", b"[]", NOW), Err(VerifyError::NoMatch));
            assert_eq!(check("a-1", b"{}", NOW + TOLERANCE), Ok(()));
            assert_eq!(check("a-1", b"{}", NOW + TOLERANCE + 1), Err(VerifyError::TooOld));
            assert_eq!(check("a-1", b"{}", NOW - TOLERANCE), Ok(()));
            assert_eq!(check("a-1", b"{}", NOW - TOLERANCE - 1), Err(VerifyError::TooNew));
        }
        let stranger = Verifier { secrets: vec![secret(9)], public_keys: vec![] };
        assert_eq!(stranger.verify("a-1", &signed.timestamp, &signed.signature, b"{}", NOW), Err(VerifyError::NoMatch));
    }

    #[test]
    fn an_empty_signature_fits_nothing() {
        let verifier = Verifier { secrets: vec![secret(1)], public_keys: vec![private().public()] };
        for signature in ["", " ", "v1,", "v1a,", "v1", "v2,AAAA"] {
            assert_eq!(verifier.verify("a", &NOW.to_string(), signature, b"", NOW), Err(VerifyError::NoMatch));
        }
        for timestamp in ["", "x", "1.5", "+1800000000", " 1800000000", "99999999999999999999"] {
            assert_eq!(verifier.verify("a", timestamp, "v1,", b"", NOW), Err(VerifyError::Timestamp), "{timestamp:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_what_is_changed_does_not(
            id in "[!-\\-/-~]{1,40}", body in proptest::collection::vec(any::<u8>(), 0..300), flip in any::<usize>()
        ) {
            let signed = signer().sign(&id, NOW, &body).unwrap();
            let verifier = Verifier { secrets: vec![secret(2)], public_keys: vec![private().public()] };
            prop_assert_eq!(verifier.verify(&id, &signed.timestamp, &signed.signature, &body, NOW), Ok(()));
            let mut changed = body.clone();
            if changed.is_empty() { changed.push(0) } else { let at = flip % changed.len(); changed[at] ^= 1; }
            prop_assert_eq!(
                verifier.verify(&id, &signed.timestamp, &signed.signature, &changed, NOW), Err(VerifyError::NoMatch)
            );
        }

        #[test]
        fn hostile_headers_never_verify_nor_panic(id in any::<String>(), time in any::<String>(), signature in any::<String>()) {
            let verifier = Verifier { secrets: vec![secret(1)], public_keys: vec![private().public()] };
            let verdict = verifier.verify(&id, &time, &signature, b"{}", NOW);
            prop_assert!(verdict.is_err());
        }
    }
}
