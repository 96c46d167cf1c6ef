//! Keyed fingerprints of markers and of their digests: all that the index and the ledger know of a value.

use super::{Digest, canonical::canonical};
use crate::marker::{Marker, MarkerKind};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A keyed fingerprint: 15 bytes of a MAC, and one that keeps kinds and digests apart.
pub type Fingerprint = [u8; 16];

/// The key of all fingerprints. Without it an index answers nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct FingerprintKey([u8; 32]);

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(redacted)")
    }
}

impl FingerprintKey {
    /// Wraps a derived key.
    pub fn new(bytes: [u8; 32]) -> FingerprintKey {
        FingerprintKey(bytes)
    }

    /// The fingerprint of a value in its canonical form. Work and personal addresses share one space.
    pub fn plain(&self, kind: MarkerKind, canonical: &str) -> Fingerprint {
        in_space_of(self.mac(canonical.as_bytes()), kind)
    }

    /// The fingerprint of the bytes of a digest.
    pub fn digest(&self, digest: Digest, bytes: &[u8]) -> Fingerprint {
        let mut fingerprint = self.mac(bytes);
        fingerprint[15] = space_of_digest(digest);
        fingerprint
    }

    /// The fingerprint of an endpoint's keyed digest of a password.
    pub fn hmac(&self, hmac: &[u8; 32]) -> Fingerprint {
        let mut fingerprint = self.mac(hmac);
        fingerprint[15] = SPACE_OF_HMACS;
        fingerprint
    }

    /// Every fingerprint under which a marker is found: its canonical form, and for addresses and passwords their
    /// digests. Empty if the value cannot be of its kind.
    pub fn all(&self, marker: &Marker) -> Vec<(Fingerprint, MarkerKind, Option<Digest>)> {
        let Some(canonical) = canonical(marker.kind, &marker.value) else { return Vec::new() };
        let mut fingerprints = vec![(self.plain(marker.kind, &canonical), marker.kind, None)];
        if matches!(marker.kind, MarkerKind::WorkEmail | MarkerKind::PersonalEmail | MarkerKind::Password) {
            fingerprints.extend(
                Digest::ALL
                    .iter()
                    .map(|digest| (self.digest(*digest, &digest.of(&canonical)), marker.kind, Some(*digest))),
            );
        }
        fingerprints
    }

    /// The keyed MAC of these bytes, in no space yet.
    pub(super) fn mac(&self, bytes: &[u8]) -> Fingerprint {
        let mut fingerprint = [0; 16];
        fingerprint[..15].copy_from_slice(&blake3::keyed_hash(&self.0, bytes).as_bytes()[..15]);
        fingerprint
    }
}

/// The fingerprint that this MAC gives in a kind's space.
pub(super) fn in_space_of(mut mac: Fingerprint, kind: MarkerKind) -> Fingerprint {
    mac[15] = space_of(kind);
    mac
}

/// The number of the space of endpoints' keyed digests.
const SPACE_OF_HMACS: u8 = 0x40;

/// The number of a kind's space.
pub(super) fn space_of(kind: MarkerKind) -> u8 {
    match kind {
        MarkerKind::WorkEmail | MarkerKind::PersonalEmail => 1,
        MarkerKind::Phone => 2,
        MarkerKind::Nir => 3,
        MarkerKind::Iban => 4,
        MarkerKind::EmployeeNumber => 5,
        MarkerKind::Username => 6,
        MarkerKind::Password => 7,
        MarkerKind::BadgeNumber => 8,
        MarkerKind::DocumentLink => 9,
    }
}

/// The number of a digest's space.
pub(super) fn space_of_digest(digest: Digest) -> u8 {
    0x80 | digest as u8
}

impl Digest {
    /// Every digest under which a marker is looked for.
    pub const ALL: &'static [Digest] = &[Digest::Md5, Digest::Sha1, Digest::Sha256, Digest::Sha512, Digest::Ntlm];

    /// The number of bytes of its value.
    pub fn length(self) -> usize {
        match self {
            Digest::Md5 | Digest::Ntlm => 16,
            Digest::Sha1 => 20,
            Digest::Sha256 => 32,
            Digest::Sha512 => 64,
        }
    }

    /// The digest of a text: of its UTF-8, and for NTLM of its UTF-16.
    pub fn of(self, text: &str) -> Vec<u8> {
        match self {
            Digest::Md5 => Md5::digest(text).to_vec(),
            Digest::Sha1 => Sha1::digest(text).to_vec(),
            Digest::Sha256 => Sha256::digest(text).to_vec(),
            Digest::Sha512 => Sha512::digest(text).to_vec(),
            Digest::Ntlm => {
                let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                md4::Md4::digest(wide).to_vec()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn digests_are_those_of_the_standards() {
        let hex = |digest: Digest, text: &str| HEXLOWER.encode(&digest.of(text));
        assert_eq!(hex(Digest::Md5, "password"), "5f4dcc3b5aa765d61d8327deb882cf99");
        assert_eq!(hex(Digest::Ntlm, "password"), "8846f7eaee8fb117ad06bdd830b7586c");
        assert_eq!(hex(Digest::Sha1, "password"), "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8");
        assert_eq!(hex(Digest::Sha256, "password"), "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8");
        assert!(Digest::ALL.iter().all(|digest| digest.of("x").len() == digest.length()));
    }

    #[test]
    fn kinds_and_keys_keep_apart() {
        let key = FingerprintKey::new([1; 32]);
        let other = FingerprintKey::new([2; 32]);
        let mut seen: Vec<Fingerprint> = MarkerKind::ALL.iter().map(|kind| key.plain(*kind, "same")).collect();
        seen.extend(Digest::ALL.iter().map(|digest| key.digest(*digest, b"same")));
        seen.push(other.plain(MarkerKind::Phone, "same"));
        seen.push(key.hmac(b"same same same same same same sa"));
        let in_all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), in_all - 1, "only the two kinds of address share a space");
        assert_eq!(format!("{key:?}"), "FingerprintKey(redacted)");
    }

    #[test]
    fn only_addresses_and_passwords_have_digests() {
        let key = FingerprintKey::new([1; 32]);
        let count = |kind, value: &str| key.all(&Marker { kind, value: value.into() }).len();
        assert_eq!(count(MarkerKind::WorkEmail, "Alice@example.org"), 6);
        assert_eq!(count(MarkerKind::Password, "secret"), 6);
        assert_eq!(count(MarkerKind::Phone, "0639980012"), 1);
        assert_eq!(count(MarkerKind::Phone, "not a phone"), 0);
    }
}
