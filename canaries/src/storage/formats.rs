//! Stored forms that name their scheme and hold their salt: crypt, bcrypt, argon2, scrypt, PBKDF2 as Django, Werkzeug,
//! passlib, LDAP and ASP.NET write it. Parameters come from hostile text, so what they ask for is priced first.

use super::{
    Budget, STANDARD,
    md5crypt::{md5crypt, sha_encoded},
};
use argon2::{Argon2, PasswordHash, PasswordVerifier};
use base64::Engine;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The scheme, if the stored form is one of these and the password's.
pub(super) fn known(password: &str, stored: &str, budget: &mut Budget) -> Option<&'static str> {
    let stored = unmarked(stored);
    // Django writes the scheme before the form: `argon2$argon2id$v=19$…`, `bcrypt$$2b$12$…`.
    if let Some(form) = stored.strip_prefix("argon2$argon2") {
        return argon2(password, &format!("$argon2{form}"), budget);
    }
    if let Some(form) = stored.strip_prefix("bcrypt_sha256$") {
        return bcrypt(&HEXLOWER.encode(&Sha256::digest(password)), form, budget);
    }
    let form = stored.strip_prefix("bcrypt$").unwrap_or(&stored);
    let parts: Vec<&str> = form.split('$').collect();
    match parts[..] {
        ["", "1" | "apr1", ..] => crypt_md5(password, form, &parts, budget),
        ["", "5" | "6", ..] => crypt_sha(password, &parts, budget),
        ["", "2a" | "2b" | "2x" | "2y", ..] => bcrypt(password, form, budget),
        ["", "argon2id" | "argon2i" | "argon2d", ..] => argon2(password, form, budget),
        ["", "scrypt", parameters, salt, hash] => {
            let number =
                |name: &str| parameters.split(',').find_map(|part| part.strip_prefix(name)?.parse::<u32>().ok());
            let cost = (u8::try_from(number("ln=")?).ok()?, number("r=")?, number("p=")?);
            scrypt(password, &passlib64(salt)?, cost, &passlib64(hash)?, budget)
        }
        ["scrypt", salt, n, r, p, hash] => {
            let cost = (log2(n)?, r.parse().ok()?, p.parse().ok()?);
            scrypt(password, salt.as_bytes(), cost, &STANDARD.decode(hash).ok()?, budget)
        }
        ["", name, rounds, salt, hash] if name.starts_with("pbkdf2") => {
            let digest = name.strip_prefix("pbkdf2-").unwrap_or("sha1");
            pbkdf2(password, digest, &passlib64(salt)?, rounds, &passlib64(hash)?, budget)
        }
        [name, rounds, salt, hash] if name.starts_with("pbkdf2_") => {
            pbkdf2(password, &name[7..], salt.as_bytes(), rounds, &STANDARD.decode(hash).ok()?, budget)
        }
        [method, salt, hash] if method.contains(':') => werkzeug(password, method, salt, hash, budget),
        [_] => asp_net(password, form, budget),
        _ => None,
    }
}

/// The form behind LDAP's marks: `{CRYPT}$6$…`, `{ARGON2}$argon2id$…`, `{PBKDF2-SHA256}1000$…`.
fn unmarked(stored: &str) -> std::borrow::Cow<'_, str> {
    let Some((mark, form)) = stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return stored.into();
    };
    let mark = mark.to_ascii_lowercase();
    match mark.strip_prefix("pbkdf2") {
        Some(digest) if !form.starts_with('$') => format!("$pbkdf2{digest}${form}").into(),
        _ => form.into(),
    }
}

/// passlib's base64: a dot for the plus, no padding.
fn passlib64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.replace('.', "+")).ok()
}

/// The logarithm of a power of two, written as the power.
fn log2(number: &str) -> Option<u8> {
    let number: u64 = number.parse().ok()?;
    number.is_power_of_two().then(|| number.trailing_zeros() as u8)
}

fn crypt_md5(password: &str, form: &str, parts: &[&str], budget: &mut Budget) -> Option<&'static str> {
    let salt = *parts.get(2)?;
    (salt.len() <= 8 && budget.spend(1_000, 0) && md5crypt(password.as_bytes(), salt.as_bytes(), parts[1]) == form)
        .then_some("md5crypt")
}

fn crypt_sha(password: &str, parts: &[&str], budget: &mut Budget) -> Option<&'static str> {
    let (rounds, salt, digest) = match parts[2..] {
        [rounds, salt, digest] => (rounds.strip_prefix("rounds=")?.parse().ok()?, salt, digest),
        [salt, digest] => (5_000, salt, digest),
        _ => return None,
    };
    if !budget.spend(u64::from(rounds) * 2 / 3, 0) {
        return None;
    }
    let parameters = sha_crypt::Params::new(rounds).ok()?;
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    let (computed, scheme) = match parts[1] {
        "5" => (sha_encoded(&sha_crypt::sha256_crypt(password, salt, parameters)), "sha256crypt"),
        _ => (sha_encoded(&sha_crypt::sha512_crypt(password, salt, parameters)), "sha512crypt"),
    };
    (computed == digest).then_some(scheme)
}

fn bcrypt(password: &str, form: &str, budget: &mut Budget) -> Option<&'static str> {
    let cost: u32 = form.split('$').nth(2)?.parse().ok()?;
    let verified = cost < 32 && budget.spend(60_u64 << cost, 0) && bcrypt::verify(password, form).unwrap_or(false);
    verified.then_some("bcrypt")
}

fn argon2(password: &str, form: &str, budget: &mut Budget) -> Option<&'static str> {
    let parameters = form.split('$').find(|part| part.contains("m="))?;
    let number = |name: &str| parameters.split(',').find_map(|part| part.strip_prefix(name)?.parse::<u64>().ok());
    let (memory, passes) = (number("m=")?, number("t=")?);
    let parsed = PasswordHash::new(form).ok()?;
    let verified = budget.spend(memory.saturating_mul(passes), memory)
        && Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
    let scheme = ["argon2id", "argon2i", "argon2d"].into_iter().find(|name| form.starts_with(&format!("${name}$")))?;
    verified.then_some(scheme)
}

fn scrypt(
    password: &str,
    salt: &[u8],
    (log_n, r, p): (u8, u32, u32),
    hash: &[u8],
    budget: &mut Budget,
) -> Option<&'static str> {
    let kib = 1_u64.checked_shl(u32::from(log_n)).filter(|_| log_n < 40)?.saturating_mul(u64::from(r)) / 8;
    let passes = u64::from(p);
    if !(16..=128).contains(&hash.len())
        || !budget.spend(kib.saturating_mul(passes).saturating_mul(2), kib + passes * u64::from(r) / 8)
    {
        return None;
    }
    let parameters = scrypt::Params::new(log_n, r, p).ok()?;
    let mut computed = vec![0; hash.len()];
    scrypt::scrypt(password.as_bytes(), salt, &parameters, &mut computed).ok()?;
    (computed == hash).then_some("scrypt")
}

fn pbkdf2(
    password: &str,
    digest: &str,
    salt: &[u8],
    rounds: &str,
    hash: &[u8],
    budget: &mut Budget,
) -> Option<&'static str> {
    let rounds: u32 = rounds.parse().ok().filter(|rounds| *rounds > 0)?;
    if !(16..=64).contains(&hash.len()) || !budget.spend(u64::from(rounds), 0) {
        return None;
    }
    let (password, mut computed) = (password.as_bytes(), vec![0; hash.len()]);
    let scheme = match digest {
        "sha1" => {
            pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut computed);
            "pbkdf2_sha1"
        }
        "sha256" => {
            pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut computed);
            "pbkdf2_sha256"
        }
        "sha512" => {
            pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut computed);
            "pbkdf2_sha512"
        }
        _ => return None,
    };
    (computed == hash).then_some(scheme)
}

/// `pbkdf2:sha256:1000$salt$hex`, `scrypt:32768:8:1$salt$hex`.
fn werkzeug(password: &str, method: &str, salt: &str, hash: &str, budget: &mut Budget) -> Option<&'static str> {
    let hash = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok()?;
    match method.split(':').collect::<Vec<_>>()[..] {
        ["pbkdf2", digest, rounds] => pbkdf2(password, digest, salt.as_bytes(), rounds, &hash, budget),
        ["scrypt", n, r, p] => {
            let cost = (log2(n)?, r.parse().ok()?, p.parse().ok()?);
            scrypt(password, salt.as_bytes(), cost, &hash, budget)
        }
        _ => None,
    }
}

/// ASP.NET Identity: base64 of a version, and behind it PBKDF2's parts.
fn asp_net(password: &str, form: &str, budget: &mut Budget) -> Option<&'static str> {
    let bytes = STANDARD.decode(form).ok()?;
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    match bytes.first()? {
        0 if bytes.len() == 49 => pbkdf2(password, "sha1", &bytes[1..17], "1000", &bytes[17..], budget),
        1 => {
            let digest = *["sha1", "sha256", "sha512"].get(number(1)? as usize)?;
            let salt_end = 13_usize.checked_add(number(9)? as usize)?;
            pbkdf2(password, digest, bytes.get(13..salt_end)?, &number(5)?.to_string(), &bytes[salt_end..], budget)
        }
        _ => None,
    }
}
