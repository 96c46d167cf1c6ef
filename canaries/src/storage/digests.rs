//! Bare digests in hexadecimal or base64, with and without a salt from the row or beside them in the field, and the
//! digests that LDAP marks with `{…}`.

use super::{Kept, SALTS, STANDARD, Salt};
use base64::Engine;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The longest salt.
const LONGEST_SALT: usize = 256;

/// Digest of these parts, one after the other.
type Hash = fn(&[&[u8]]) -> Vec<u8>;

fn over<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(D::new(), |digest, part| digest.chain_update(part)).finalize().to_vec()
}

/// Name, length, function; and the name that LDAP gives it with a salt.
const HASHES: [(&str, usize, Hash, &str); 4] = [
    ("md5", 16, over::<Md5>, "smd5"),
    ("sha1", 20, over::<Sha1>, "ssha"),
    ("sha256", 32, over::<Sha256>, "ssha256"),
    ("sha512", 64, over::<Sha512>, "ssha512"),
];

/// The scheme, if the field is such a digest of the password.
pub(super) fn known(password: &str, field: &str, row: &[&str]) -> Option<Kept> {
    if field.starts_with('{') {
        return ldap(password, field);
    }
    let password = password.as_bytes();
    // PostgreSQL's `md5…`, MySQL's `*…`, and the prefixes of byte columns.
    let bare = ["\\x", "0x", "0X", "md5", "*"].iter().find_map(|prefix| field.strip_prefix(prefix)).unwrap_or(field);
    if let Some(bytes) = decoded(bare)
        && let Some(kept) = unsalted(password, &bytes).or_else(|| salted(password, &bytes, row))
    {
        return Some(kept);
    }
    // `salt$digest`, `digest:salt`, `sha1$salt$digest`.
    let parts: Vec<&str> = field.split(['$', ':', ';', '|', ',']).filter(|part| !part.is_empty()).collect();
    if !(2..=5).contains(&parts.len()) {
        return None;
    }
    parts.iter().find_map(|part| {
        let bytes = decoded(part)?;
        unsalted(password, &bytes)
            .or_else(|| salted(password, &bytes, &parts))
            .or_else(|| salted(password, &bytes, row))
    })
}

/// The bytes of a digest, by length and alphabet.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let bytes = match text.len() {
        32 | 40 | 64 | 128 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
        22..=28 | 43 | 44 | 86..=88 => {
            STANDARD.decode(text).ok().or_else(|| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok())
        }
        _ => None,
    };
    bytes.filter(|bytes| HASHES.iter().any(|hash| hash.1 == bytes.len()))
}

fn unsalted(password: &[u8], bytes: &[u8]) -> Option<Kept> {
    let kept = |scheme| Some(Kept { scheme, salt: Salt::None });
    for (name, _, hash, _) in HASHES.iter().filter(|hash| hash.1 == bytes.len()) {
        if hash(&[password]) == bytes {
            return kept(name);
        }
    }
    match bytes.len() {
        16 => {
            let wide: Vec<u8> = std::str::from_utf8(password).ok()?.encode_utf16().flat_map(u16::to_le_bytes).collect();
            (md4::Md4::digest(wide)[..] == *bytes).then(|| kept("ntlm")).flatten()
        }
        20 => (over::<Sha1>(&[&over::<Sha1>(&[password])]) == bytes).then(|| kept("mysql41")).flatten(),
        _ => None,
    }
}

/// Tries each text as a salt: as it stands, and as the bytes that it writes.
fn salted(password: &[u8], bytes: &[u8], salts: &[&str]) -> Option<Kept> {
    let (name, _, hash, _) = HASHES.iter().find(|hash| hash.1 == bytes.len())?;
    for salt in salts.iter().filter(|salt| (1..=LONGEST_SALT).contains(&salt.len())).take(SALTS) {
        let written = |text: &str| {
            let digits = text.strip_prefix("\\x").or_else(|| text.strip_prefix("0x")).unwrap_or(text);
            let from_hex = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
            [from_hex, STANDARD.decode(text).ok()].into_iter().flatten().filter(|salt| salt.len() >= 4)
        };
        for salt in std::iter::once(salt.as_bytes().to_vec()).chain(written(salt)) {
            for (parts, place) in [([&salt[..], password], Salt::Before), ([password, &salt[..]], Salt::After)] {
                if hash(&parts) == bytes {
                    return Some(Kept { scheme: name, salt: place });
                }
            }
        }
    }
    None
}

/// `{SSHA}…` and its kin: the digest, and behind it the salt.
fn ldap(password: &str, field: &str) -> Option<Kept> {
    let (mark, encoded) = field[1..].split_once('}')?;
    let mark = mark.to_ascii_lowercase().replace('-', "");
    let (name, length, hash, with_salt) = HASHES
        .iter()
        .find(|(name, .., with_salt)| mark == *name || mark == *with_salt || (mark == "sha" && *name == "sha1"))?;
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let (digest, salt) = bytes.split_at_checked(*length)?;
    let kept = match salt {
        [] => Kept { scheme: name, salt: Salt::None },
        _ => Kept { scheme: with_salt, salt: Salt::Embedded },
    };
    (hash(&[password.as_bytes(), salt]) == digest).then_some(kept)
}
