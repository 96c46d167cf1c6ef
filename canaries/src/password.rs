//! How stores keep passwords: the schemes, making a stored form and checking one. Passwords here are invented; a real
//! person's never comes this way.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::{Engine, engine::general_purpose::STANDARD};
use data_encoding::HEXLOWER;
use md4::Md4;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// A way to keep passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Plain,
    Md5,
    Sha1,
    Sha256,
    Ntlm,
    Ssha,
    Bcrypt,
    Argon2id,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: &'static [Scheme] = &[
        Scheme::Plain,
        Scheme::Md5,
        Scheme::Sha1,
        Scheme::Sha256,
        Scheme::Ntlm,
        Scheme::Ssha,
        Scheme::Bcrypt,
        Scheme::Argon2id,
    ];

    /// The name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Plain => "plain",
            Scheme::Md5 => "md5",
            Scheme::Sha1 => "sha1",
            Scheme::Sha256 => "sha256",
            Scheme::Ntlm => "ntlm",
            Scheme::Ssha => "ssha",
            Scheme::Bcrypt => "bcrypt",
            Scheme::Argon2id => "argon2id",
        }
    }

    /// Whether each stored form has a salt of its own.
    pub fn is_salted(self) -> bool {
        matches!(self, Scheme::Ssha | Scheme::Bcrypt | Scheme::Argon2id)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect::<Vec<_>>().join(", ");
        let found = Scheme::ALL.iter().copied().find(|scheme| scheme.as_str() == name.to_lowercase());
        found.ok_or_else(|| format!("no password scheme is called {name:?}; known are {}", known()))
    }
}

/// The form in which a store of this scheme keeps the password. The salt is used by the salted schemes only.
pub fn hash(scheme: Scheme, password: &str, salt: &[u8; 16]) -> String {
    match scheme {
        Scheme::Plain => password.to_owned(),
        Scheme::Md5 => HEXLOWER.encode(&Md5::digest(password)),
        Scheme::Sha1 => HEXLOWER.encode(&Sha1::digest(password)),
        Scheme::Sha256 => HEXLOWER.encode(&Sha256::digest(password)),
        Scheme::Ntlm => HEXLOWER.encode(&Md4::digest(utf16(password))),
        Scheme::Ssha => ssha(password, &salt[..8]),
        // Neither fails: the cost is within bounds, and no invented password has a NUL byte or 4 GiB.
        Scheme::Bcrypt => bcrypt::hash_with_salt(password, 10, *salt)
            .map(|parts| parts.format_for_version(bcrypt::Version::TwoB))
            .unwrap_or_default(),
        Scheme::Argon2id => {
            argon().hash_password_with_salt(password.as_bytes(), salt).map(|text| text.to_string()).unwrap_or_default()
        }
    }
}

/// Whether the stored form is this password's. Never fails: what cannot be read is not.
pub fn verify(scheme: Scheme, password: &str, stored: &str) -> bool {
    let stored = stored.trim();
    match scheme {
        Scheme::Plain => stored == password,
        Scheme::Md5 | Scheme::Sha1 | Scheme::Sha256 | Scheme::Ntlm => {
            stored.eq_ignore_ascii_case(&hash(scheme, password, &[0; 16]))
        }
        Scheme::Ssha => {
            let Some(encoded) =
                stored.get(..6).filter(|mark| mark.eq_ignore_ascii_case("{SSHA}")).map(|_| &stored[6..])
            else {
                return false;
            };
            STANDARD.decode(encoded).is_ok_and(|bytes| {
                bytes.len() > 20
                    && Sha1::new().chain_update(password).chain_update(&bytes[20..]).finalize()[..] == bytes[..20]
            })
        }
        Scheme::Bcrypt => bcrypt::verify(password, stored).unwrap_or(false),
        Scheme::Argon2id => argon2::PasswordHash::new(stored)
            .is_ok_and(|parsed| argon().verify_password(password.as_bytes(), &parsed).is_ok()),
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn ssha(password: &str, salt: &[u8]) -> String {
    let digest = Sha1::new().chain_update(password).chain_update(salt).finalize();
    format!("{{SSHA}}{}", STANDARD.encode([&digest[..], salt].concat()))
}

/// OWASP's parameters: 19 MiB, two passes, one lane.
fn argon() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_digests_agree_with_published_examples() {
        assert_eq!(hash(Scheme::Md5, "password", &[0; 16]), "5f4dcc3b5aa765d61d8327deb882cf99");
        assert_eq!(hash(Scheme::Sha1, "password", &[0; 16]), "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8");
        assert_eq!(hash(Scheme::Ntlm, "password", &[0; 16]), "8846f7eaee8fb117ad06bdd830b7586c");
        let sha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        assert_eq!(hash(Scheme::Sha256, "password", &[0; 16]), sha256);
    }

    #[test]
    fn every_scheme_knows_its_own_and_no_other() {
        for scheme in Scheme::ALL {
            let stored = hash(*scheme, "Vd5kTRw2uzQx7", &[0xa5; 16]);
            assert!(verify(*scheme, "Vd5kTRw2uzQx7", &stored), "{scheme}: {stored}");
            assert!(!verify(*scheme, "Vd5kTRw2uzQx8", &stored), "{scheme}");
            assert!(!verify(*scheme, "Vd5kTRw2uzQx7", "é"), "{scheme}");
            assert_eq!(scheme.to_string().parse(), Ok(*scheme));
            let resalted = hash(*scheme, "Vd5kTRw2uzQx7", &[0x5a; 16]);
            assert_eq!(stored != resalted, scheme.is_salted(), "{scheme}");
        }
        assert!("scrypt".parse::<Scheme>().unwrap_err().contains("argon2id"));
    }

    #[test]
    fn foreign_forms_are_read() {
        // The bcrypt one is the example of PHP's manual.
        assert!(verify(Scheme::Md5, "password", "5F4DCC3B5AA765D61D8327DEB882CF99"));
        assert!(verify(
            Scheme::Bcrypt,
            "rasmuslerdorf",
            "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi"
        ));
    }
}
