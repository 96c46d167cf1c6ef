//! Sealing: XChaCha20-Poly1305 with a random nonce of 24 bytes. What is sealed opens only under the same key and for
//! the same place; an altered byte is found. It stores nothing.

use chacha20poly1305::{
    ChaCha20Poly1305, XChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A data key, wiped when dropped.
pub type DataKey = Zeroizing<[u8; 32]>;

/// A nonce, drawn anew for each sealing.
pub type Nonce = [u8; 24];

/// What the seal adds to the length of the text.
pub const OVERHEAD: usize = 16;

/// The seal does not open: another key, another place, or altered bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not open under this key")]
pub struct Unopened;

/// Seals `text` under `key`; `place` must be given again to open it.
pub fn seal(key: &DataKey, nonce: &Nonce, place: &[u8], text: &[u8]) -> Vec<u8> {
    XChaCha20Poly1305::new(&(**key).into())
        .encrypt(&(*nonce).into(), Payload { msg: text, aad: place })
        .expect("a text far below the cipher's limit of 256 GiB")
}

/// Opens what `seal` made.
pub fn open(key: &DataKey, nonce: &Nonce, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    XChaCha20Poly1305::new(&(**key).into())
        .decrypt(&(*nonce).into(), Payload { msg: sealed, aad: place })
        .map(Zeroizing::new)
        .map_err(|_| Unopened)
}

/// What opens this one sealing and no other under the same key: XChaCha20's subkey for this nonce. The key does not follow
/// from it. Whoever is given it opens the text with ordinary ChaCha20-Poly1305, under four zero bytes and the nonce's last eight.
pub fn opening(key: &DataKey, nonce: &Nonce) -> DataKey {
    let (start, _) = nonce.split_first_chunk::<16>().expect("a nonce has 24 bytes");
    Zeroizing::new(chacha20::hchacha::<chacha20::R20>(&(**key).into(), &(*start).into()).into())
}

/// Opens one sealing with its opening.
pub fn open_with(
    opening: &DataKey,
    nonce: &Nonce,
    place: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let mut short = [0; 12];
    short[4..].copy_from_slice(&nonce[16..]);
    ChaCha20Poly1305::new(&(**opening).into())
        .decrypt(&short.into(), Payload { msg: sealed, aad: place })
        .map(Zeroizing::new)
        .map_err(|_| Unopened)
}

/// A key for one purpose, from a secret that has many (HKDF-SHA-256).
pub fn derive(secret: &[u8; 32], salt: &[u8], purpose: &str) -> DataKey {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(purpose.as_bytes(), key.as_mut_slice())
        .expect("32 bytes are within HKDF's limit");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_under_its_key_and_place_only() {
        let (key, other) = (Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        let nonce = [3; 24];
        let sealed = seal(&key, &nonce, b"here", b"text");
        assert_eq!(open(&key, &nonce, b"here", &sealed).unwrap().as_slice(), b"text");
        assert!(open(&other, &nonce, b"here", &sealed).is_err());
        assert!(open(&key, &nonce, b"there", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&key, &nonce, b"here", &altered).is_err());
        }
    }

    #[test]
    fn an_opening_opens_one_sealing_only() {
        let key = Zeroizing::new([1; 32]);
        let (one, other) = ([3; 24], [4; 24]);
        let sealed = seal(&key, &one, b"here", b"text");
        let opened = open_with(&opening(&key, &one), &one, b"here", &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"text");
        assert!(open_with(&opening(&key, &other), &one, b"here", &sealed).is_err());
        assert!(open_with(&opening(&key, &one), &one, b"there", &sealed).is_err());
        let second = seal(&key, &other, b"here", b"more");
        assert!(open_with(&opening(&key, &one), &other, b"here", &second).is_err());
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        assert_ne!(derive(&[1; 32], b"", "index"), derive(&[1; 32], b"", "gate"));
        assert_ne!(derive(&[1; 32], b"", "index"), derive(&[1; 32], b"x", "index"));
        assert_eq!(derive(&[1; 32], b"", "index"), derive(&[1; 32], b"", "index"));
    }
}
