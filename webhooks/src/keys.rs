//! The three keys of Standard Webhooks and how they are written: `whsec_` shared secret, `whsk_` private and `whpk_`
//! public Ed25519 key, each base64. Errors never show the key.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{SigningKey as Private, VerifyingKey as Public};
use std::fmt;
use zeroize::Zeroizing;

/// Why a written key was not understood. The key itself is never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Another prefix, or none.
    #[error("the key must start with {0:?}")]
    Prefix(&'static str),
    /// What follows the prefix cannot be decoded.
    #[error("what follows {0:?} must be base64 (the standard alphabet, with padding)")]
    Base64(&'static str),
    /// A key of another length.
    #[error("what follows {prefix:?} holds {found} bytes, and {expected} are expected")]
    Length { prefix: &'static str, expected: &'static str, found: usize },
    /// Bytes that are no key, or a public half that is not the private one's.
    #[error("what follows {0:?} is not an Ed25519 key: make a new pair")]
    NotAKey(&'static str),
}

fn decode(written: &str, prefix: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let encoded = written.trim().strip_prefix(prefix).ok_or(KeyError::Prefix(prefix))?;
    STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| KeyError::Base64(prefix))
}

/// A secret that both sides hold: 24 to 64 bytes, written `whsec_` and base64.
#[derive(Clone)]
pub struct HmacKey(Zeroizing<Vec<u8>>);

impl HmacKey {
    /// How it starts when written.
    pub const PREFIX: &'static str = "whsec_";

    /// Reads a written secret.
    pub fn parse(written: &str) -> Result<Self, KeyError> {
        let bytes = decode(written, Self::PREFIX)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(KeyError::Length { prefix: Self::PREFIX, expected: "24 to 64", found: bytes.len() });
        }
        Ok(HmacKey(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_[secret]")
    }
}

/// The sender's private Ed25519 key, written `whsk_` and base64 of the 32-byte seed, or of seed and public key.
#[derive(Clone)]
pub struct SigningKey(pub(crate) Private);

impl SigningKey {
    /// How it starts when written.
    pub const PREFIX: &'static str = "whsk_";

    /// Reads a written private key.
    pub fn parse(written: &str) -> Result<Self, KeyError> {
        let bytes = decode(written, Self::PREFIX)?;
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(SigningKey(Private::from_bytes(seed)));
        }
        let pair = <&[u8; 64]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length {
            prefix: Self::PREFIX,
            expected: "32 or 64",
            found: bytes.len(),
        })?;
        Private::from_keypair_bytes(pair).map(SigningKey).map_err(|_| KeyError::NotAKey(Self::PREFIX))
    }

    /// The half that receivers are given.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsk_[secret]")
    }
}

/// The sender's public Ed25519 key, written `whpk_` and base64 of 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) Public);

impl PublicKey {
    /// How it starts when written.
    pub const PREFIX: &'static str = "whpk_";

    /// Reads a written public key.
    pub fn parse(written: &str) -> Result<Self, KeyError> {
        let bytes = decode(written, Self::PREFIX)?;
        let bytes = <&[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length {
            prefix: Self::PREFIX,
            expected: "32",
            found: bytes.len(),
        })?;
        Public::from_bytes(bytes).map(PublicKey).map_err(|_| KeyError::NotAKey(Self::PREFIX))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, STANDARD.encode(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let written = format!("whsec_{}", STANDARD.encode([7; 24]));
        let key = HmacKey::parse(&written).unwrap();
        assert_eq!(key.bytes(), [7; 24]);
        assert_eq!(format!("{key:?}"), "whsec_[secret]");
        let key = SigningKey::parse(&format!("whsk_{}", STANDARD.encode([7; 32]))).unwrap();
        assert_eq!(format!("{key:?}"), "whsk_[secret]");
    }

    #[test]
    fn a_bad_key_is_named_without_being_shown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let error = HmacKey::parse(&short).unwrap_err();
        assert_eq!(error, KeyError::Length { prefix: "whsec_", expected: "24 to 64", found: 23 });
        assert!(!error.to_string().contains(&STANDARD.encode([7; 23])));
        assert!(HmacKey::parse(&format!("whsec_{}", STANDARD.encode([7; 65]))).is_err());
        assert_eq!(HmacKey::parse("hunter2").unwrap_err(), KeyError::Prefix("whsec_"));
        assert_eq!(HmacKey::parse("whsec_***").unwrap_err(), KeyError::Base64("whsec_"));
        assert_eq!(SigningKey::parse(&short).unwrap_err(), KeyError::Prefix("whsk_"));
        assert!(PublicKey::parse(&format!("whpk_{}", STANDARD.encode([7; 31]))).is_err());
    }

    #[test]
    fn a_private_key_is_read_from_its_seed_or_as_a_pair() {
        let seed = SigningKey::parse(&format!("whsk_{}", STANDARD.encode([9; 32]))).unwrap();
        let pair = seed.0.to_keypair_bytes();
        let again = SigningKey::parse(&format!("whsk_{}", STANDARD.encode(pair))).unwrap();
        assert_eq!(seed.public(), again.public());
        assert_eq!(PublicKey::parse(&seed.public().to_string()).unwrap(), seed.public());
        let mut wrong = pair;
        wrong[40] ^= 1;
        assert!(SigningKey::parse(&format!("whsk_{}", STANDARD.encode(wrong))).is_err());
    }
}
