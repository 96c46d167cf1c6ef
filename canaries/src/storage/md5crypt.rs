//! Unix's crypt: its md5, `$1$` and Apache's `$apr1$`, frozen since 1994, and how its digests are written.

use md5::{Digest, Md5};

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The stored form of this password; `mark` is `1` or `apr1`.
pub(super) fn md5crypt(password: &[u8], salt: &[u8], mark: &str) -> String {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut digest = Md5::new().chain_update(password).chain_update(format!("${mark}$")).chain_update(salt);
    let mut left = password.len();
    while left > 0 {
        digest.update(&inner[..left.min(16)]);
        left -= left.min(16);
    }
    // What its author wrote, whatever was meant: for each bit of the length a zero or the first character.
    let mut bits = password.len();
    while bits > 0 {
        digest.update(if bits & 1 == 1 { &[0][..] } else { &password[..1] });
        bits >>= 1;
    }
    let mut last = digest.finalize();
    for round in 0..1_000 {
        let mut next = Md5::new();
        next.update(if round & 1 == 1 { password } else { &last[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { &last[..] } else { password });
        last = next.finalize();
    }
    let mut form = format!("${mark}${}$", String::from_utf8_lossy(salt));
    for at in 0..5 {
        push(&mut form, [last[at], last[at + 6], last[if at == 4 { 5 } else { at + 12 }]], 4);
    }
    push(&mut form, [0, 0, last[11]], 2);
    form
}

/// The last part of the stored form of crypt's sha256 or sha512: the digest in the order that its author gave it.
pub(super) fn sha_encoded(digest: &[u8]) -> String {
    let wide = digest.len() == 64;
    let mut form = String::with_capacity(86);
    let mut order = if wide { [0, 21, 42] } else { [0, 10, 20] };
    for _ in 0..digest.len() / 3 {
        push(&mut form, order.map(|at| digest[at]), 4);
        let [one, two, three] = order.map(|at| at + 1);
        order = if wide { [two, three, one] } else { [three, one, two] };
    }
    match wide {
        true => push(&mut form, [0, 0, digest[63]], 2),
        false => push(&mut form, [0, digest[31], digest[30]], 3),
    }
    form
}

/// Three bytes as so many characters, the lowest bits first.
fn push(form: &mut String, bytes: [u8; 3], characters: usize) {
    let mut value = u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]);
    for _ in 0..characters {
        form.push(char::from(ALPHABET[(value & 63) as usize]));
        value >>= 6;
    }
}
