//! What proves who posts: codes under a shared key, compared in a time that tells nothing, and times that are near.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// A provider's clock and the way here may take so long.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

macro_rules! codes {
    ($($name:ident $hash:ty),*) => { $(
        /// Whether this is the code of these parts under the key.
        pub fn $name(key: &[u8], parts: &[&[u8]], code: &[u8]) -> bool {
            let Ok(mut mac) = Hmac::<$hash>::new_from_slice(key) else { return false };
            parts.iter().for_each(|part| mac.update(part));
            mac.verify_slice(code).is_ok()
        }
    )* };
}

codes! { hmac_md5 Md5, hmac_sha1 Sha1, hmac_sha256 Sha256, hmac_sha512 Sha512 }

/// Whether two secrets are the same; their lengths tell nothing either.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// Whether a time, in seconds, is near enough to now.
pub fn is_near(seconds: &str, now: Timestamp, window: SignedDuration) -> bool {
    let at = seconds.trim().parse::<i64>().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.is_some_and(|at| now.duration_since(at).abs() <= window)
}

/// A mark of these parts, each told from the next.
pub fn mark(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn codes_are_those_of_the_standards() {
        let key = "key".as_bytes();
        let parts: [&[u8]; 2] = [b"The quick brown fox ", b"jumps over the lazy dog"];
        let code = |hex: &str| HEXLOWER.decode(hex.as_bytes()).unwrap();
        let sha256 = code("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
        assert!(hmac_sha256(key, &parts, &sha256));
        assert!(!hmac_sha256(b"other", &parts, &sha256) && !hmac_sha256(key, &parts[..1], &sha256));
        assert!(!hmac_sha256(key, &parts, &sha256[..31]) && !hmac_sha256(key, &parts, b""));
        assert!(hmac_sha1(key, &parts, &code("de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9")));
        assert!(hmac_md5(key, &parts, &code("80070713463e7749b90c2dc24911e275")));
    }

    #[test]
    fn times_are_near_or_not() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert!(is_near("1000000", now, WINDOW) && is_near("999700", now, WINDOW) && is_near("1000300", now, WINDOW));
        for far in ["999699", "1000301", "", "x", "-1", "99999999999999999999", "1e6"] {
            assert!(!is_near(far, now, WINDOW), "{far}");
        }
        assert!(same(b"a", b"a") && !same(b"a", b"ab") && mark(&[b"a", b"b"]) != mark(&[b"ab", b""]));
    }
}
