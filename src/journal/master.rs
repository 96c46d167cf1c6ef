//! The master key: 32 random bytes that only wrap the keyring. It lies outside the data folder and is never printed.

use crate::domain::secret::Secret;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;
use zeroize::Zeroizing;

/// What opens the keyring.
#[derive(Clone)]
pub struct MasterKey(pub(crate) Zeroizing<[u8; 32]>);

/// A master key that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the master key is not 32 bytes in base64 (44 characters): put back the one that `telltale init` made, or a copy of it"
)]
pub struct NotAMasterKey;

impl MasterKey {
    /// A new random key.
    pub fn generate() -> MasterKey {
        MasterKey(Zeroizing::new(rand::random()))
    }

    /// Reads a key as `to_text` wrote it; white space around it is no matter.
    pub fn read(text: &Secret) -> Result<MasterKey, NotAMasterKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.reveal().trim()).map_err(|_| NotAMasterKey)?);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(NotAMasterKey);
        }
        key.copy_from_slice(&bytes);
        Ok(MasterKey(key))
    }

    /// The key as text, for the file that the operator keeps.
    pub fn to_text(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_round_and_nothing_else_is_taken() {
        let key = MasterKey::generate();
        let text = key.to_text();
        assert_eq!(MasterKey::read(&Secret::new(format!("{}\n", text.reveal()))).unwrap().0, key.0);
        for bad in ["", "short", "not base64!", &text.reveal()[..40]] {
            assert_eq!(MasterKey::read(&Secret::new(bad)).unwrap_err(), NotAMasterKey);
        }
        assert!(!format!("{key:?}").contains(text.reveal()));
    }
}
