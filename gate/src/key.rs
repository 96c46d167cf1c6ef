//! The endpoint's key, and what is made under it: fingerprints of names, digests of passwords, the seal of the file.

use crate::GateError;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{fmt, fs, path::Path};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// An endpoint's key. Whoever has it can ask which names are canaries': it belongs to the endpoint alone.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct GateKey([u8; 32]);

impl fmt::Debug for GateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GateKey(redacted)")
    }
}

impl GateKey {
    /// Wraps a derived key.
    pub fn new(bytes: [u8; 32]) -> GateKey {
        GateKey(bytes)
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<GateKey, GateError> {
        let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).unwrap_or_default());
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| GateError::NotAKey)?;
        Ok(GateKey(bytes))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Where it cannot be read, or holds no key.
    pub fn read(path: &Path) -> Result<GateKey, GateError> {
        let text = fs::read_to_string(path).map_err(|error| GateError::Unread { path: path.to_owned(), error })?;
        GateKey::parse(&Zeroizing::new(text)).map_err(|_| GateError::NotAKeyFile(path.to_owned()))
    }

    /// The key as it stands in a key file.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&self.0))
    }

    /// HMAC-SHA256 of a password, as the service knows it.
    pub fn password_mac(&self, password: &str) -> [u8; 32] {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.chain_update(password.as_bytes()).finalize().into_bytes().into()
    }

    /// The same as 64 hexadecimal digits.
    pub fn password_hmac(&self, password: &str) -> String {
        HEXLOWER.encode(&self.password_mac(password))
    }

    /// What makes fingerprints of names.
    pub(crate) fn names(&self) -> NameKey {
        NameKey(self.derived("telltale gate 1 user names"))
    }

    /// Tells this key from another without telling it.
    pub(crate) fn check(&self, endpoint: &str) -> [u8; 16] {
        let whole = blake3::keyed_hash(&self.derived("telltale gate 1 key check"), endpoint.as_bytes());
        let mut check = [0; 16];
        check.copy_from_slice(&whole.as_bytes()[..16]);
        check
    }

    /// The seal of these bytes; equality takes the same time wherever they differ.
    pub(crate) fn seal(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.derived("telltale gate 1 file"), bytes)
    }

    fn derived(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(purpose, &self.0))
    }
}

/// Makes fingerprints of names in their canonical form.
pub(crate) struct NameKey(Zeroizing<[u8; 32]>);

impl NameKey {
    /// Two halves of one MAC, one for each of the filters.
    pub fn of(&self, canonical: &str) -> (u64, u64) {
        let mac = blake3::keyed_hash(&self.0, canonical.as_bytes());
        let half = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&mac.as_bytes()[from..from + 8]);
            u64::from_le_bytes(bytes)
        };
        (half(0), half(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_the_standard_digest() {
        // As `openssl dgst -sha256 -mac HMAC` computes it.
        let key = GateKey::parse("000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n").unwrap();
        assert_eq!(
            key.password_hmac("what do ya want for nothing?"),
            "099805f4ac310786968565c098db515cc50862b420ae31e20238312344bed36a"
        );
        assert_eq!(GateKey::parse(&key.to_text()).unwrap().password_hmac("x"), key.password_hmac("x"));
        assert_eq!(format!("{key:?}"), "GateKey(redacted)");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "00", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert!(matches!(GateKey::parse(text), Err(GateError::NotAKey)), "{text}");
        }
    }
}
