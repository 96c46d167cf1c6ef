//! Clues: what a sieve is asked about a place in a text. A clue is a short cut of a marker, sixteen bytes that come
//! about there if the marker stands there. It only ever spares work: what passes is read in full, and its
//! fingerprint decides.

use super::{canonical::is_local, tokens};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A clue. Its last byte says what it is a clue to.
pub(super) type Block = [u8; 16];

/// A word of up to fifteen bytes, in small letters; none of its bytes is zero, which makes the padding plain.
pub(super) const WORD: u8 = 0x80;
/// A longer word: eight bytes of its beginning, six of its end, its length.
const LONG_WORD: u8 = 0x81;
/// The longest word within a password that is none itself.
const PART: u8 = 0x82;
const LONG_PART: u8 = 0x83;
/// What stands on both sides of an at-sign.
const SIGN: u8 = 0x84;
/// What stands behind it.
const DOMAIN: u8 = 0x85;
const PHONE: u8 = 0x86;
const NIR: u8 = 0x87;
const IBAN: u8 = 0x88;
const DIGEST: u8 = 0x89;
/// How numbers of a kind begin, or what in them tells most of them apart.
const PHONE_HEAD: u8 = 0x8a;
const NIR_HEAD: u8 = 0x8b;
const IBAN_HEAD: u8 = 0x8c;

/// How many bytes of a domain a clue may take. Each address gives the most that it has.
pub(super) const AFTER: [usize; 2] = [6, 3];

/// The key of the hashes that sieves are asked. They are fast, and no MAC: they never leave memory, and the sieves
/// that are made of them stand in the file encrypted.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct ClueKey {
    /// The key of a clue's four parts.
    pub parts: [u32; 4],
    /// Odd.
    pub end: u64,
    wholes: [u64; 3],
}

impl ClueKey {
    pub fn new(key: &[u8; 32]) -> ClueKey {
        let mut derived = [0; 48];
        blake3::Hasher::new_keyed(key).finalize_xof().fill(&mut derived);
        let (parts, _) = derived[..16].as_chunks();
        let (words, _) = derived[16..].as_chunks();
        ClueKey {
            parts: std::array::from_fn(|number| u32::from_le_bytes(parts[number])),
            end: u64::from_le_bytes(words[0]) | 1,
            wholes: std::array::from_fn(|number| u64::from_le_bytes(words[number + 1])),
        }
    }

    /// The hash of one clue: NH of UMAC (RFC 4418), over four parts of four bytes, and mixed. Vectors of words are
    /// hashed alike in `simd`.
    #[inline(always)]
    pub fn hash(&self, block: Block) -> u64 {
        let (words, _) = block.as_chunks();
        let part = |number: usize| u64::from(u32::from_le_bytes(words[number]).wrapping_add(self.parts[number]));
        let sum = (part(0) * part(1)).wrapping_add(part(2) * part(3));
        let mixed = (sum ^ sum >> 32).wrapping_mul(self.end);
        mixed ^ mixed >> 32
    }

    /// The hash of a whole value in a space.
    pub fn whole(&self, space: u8, value: &[u8]) -> u64 {
        let [first, second, third] = self.wholes;
        let mut hash = third ^ (value.len() as u64) << 8 ^ u64::from(space);
        for part in value.chunks(16) {
            let mut block = [0; 16];
            block[..part.len()].copy_from_slice(part);
            let [low, high] = halves(&block);
            hash = multiplied(low ^ first, high ^ second ^ hash);
        }
        multiplied(hash ^ third, self.end)
    }
}

#[inline(always)]
fn halves(block: &Block) -> [u64; 2] {
    let (words, _) = block.as_chunks();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}

/// Both halves of a product, mixed.
#[inline(always)]
fn multiplied(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// The clue to a word, whatever its letters' case.
#[inline]
pub(super) fn word(word: &[u8]) -> Block {
    folded(word, WORD, LONG_WORD)
}

/// The same for a word of at most fifteen bytes of ASCII at the start of these.
#[inline(always)]
pub(super) fn short_word(bytes: &[u8; 16], length: usize) -> Block {
    let word = u128::from_le_bytes(*bytes) & ((1 << (8 * length)) - 1);
    (folded_128(word) | u128::from(WORD) << 120).to_le_bytes()
}

/// The clue to a word within a password.
pub(super) fn part(word: &[u8]) -> Block {
    folded(word, PART, LONG_PART)
}

#[inline]
fn folded(word: &[u8], short: u8, long: u8) -> Block {
    let mut block = [0; 16];
    if word.len() <= 15 {
        block[..word.len()].copy_from_slice(word);
        block.make_ascii_lowercase();
        block[15] = short;
    } else {
        block[..8].copy_from_slice(&word[..8]);
        block[8..14].copy_from_slice(&word[word.len() - 6..]);
        block.make_ascii_lowercase();
        block[14] = word.len().min(255) as u8;
        block[15] = long;
    }
    block
}

/// The clue to an address: its whole local part, and the beginning of its domain. Parts that are longer than a block
/// are mixed into it, which the same on both sides may be: a clue need not be unique.
#[inline]
pub(super) fn sign(local: &[u8], behind: &[u8]) -> Block {
    let mut last = [0; 16];
    let kept = local.len().min(16);
    last[..kept].copy_from_slice(&local[local.len() - kept..]);
    let mut head = [0; 8];
    head[..behind.len()].copy_from_slice(behind);
    sign_of(u128::from_le_bytes(last), local, u64::from_le_bytes(head), behind.len())
}

/// The same where the local part's last sixteen bytes, or all of them and zeros, and the domain's first bytes and zeros
/// were read already.
#[inline(always)]
pub(super) fn sign_of(last: u128, local: &[u8], head: u64, behind: usize) -> Block {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let last = folded_128(last);
    let first = match local.first_chunk() {
        Some(first) if local.len() > 16 => folded_128(u128::from(u64::from_le_bytes(*first))) as u64,
        _ => 0,
    };
    let head = folded_128(u128::from(head)) as u64;
    let low = last as u64 ^ head.wrapping_mul(ODD).rotate_left(17);
    let high = (last >> 64) as u64 ^ first.wrapping_mul(ODD) ^ (local.len() as u64 * 8 + behind as u64) << 40;
    let high = high & !(0xff << 56) ^ (high >> 56) << 20 | u64::from(SIGN) << 56;
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

/// Sixteen bytes with their capitals of ASCII made small.
#[inline(always)]
fn folded_128(bytes: u128) -> u128 {
    const EACH: u128 = u128::MAX / 255;
    let seven = bytes & (EACH * 0x7f);
    // None of these additions carries into the next byte.
    let capital =
        ((seven + EACH * (0x80 - b'A') as u128) ^ (seven + EACH * (0x7f - b'Z') as u128)) & !bytes & (EACH * 0x80);
    bytes | capital >> 2
}

/// The clue to any address whose domain begins so.
pub(super) fn domain(behind: &[u8]) -> Block {
    let mut head = [0; 8];
    head[..behind.len()].copy_from_slice(behind);
    domain_of(u64::from_le_bytes(head), behind.len())
}

/// The same where the first bytes, and zeros, were read already.
#[inline(always)]
pub(super) fn domain_of(head: u64, length: usize) -> Block {
    (folded_128(u128::from(head)) | (length as u128) << 112 | u128::from(DOMAIN) << 120).to_le_bytes()
}

/// How a phone begins, from its canonical form without the plus: country and range.
#[inline]
pub(super) fn phone_head(digits: &[u8]) -> Block {
    start_of(&digits[..HEAD.min(digits.len())], PHONE_HEAD)
}

/// So many digits tell a phone's range.
pub(super) const HEAD: usize = 7;

/// The commune in an NIR.
#[inline]
pub(super) fn nir_head(characters: &[u8]) -> Block {
    start_of(&characters[5..10], NIR_HEAD)
}

/// Country and bank of an IBAN, from its first nine characters in either case.
#[inline(always)]
pub(super) fn iban_head(characters: &[u8; 9]) -> Block {
    let [a, b, _, _, bank @ ..] = *characters;
    let head = u64::from_le_bytes([a, b, 0, bank[0], bank[1], bank[2], bank[3], bank[4]]);
    (folded_128(u128::from(head)) | u128::from(IBAN_HEAD) << 120).to_le_bytes()
}

/// The clue to a phone, from its canonical form without the plus.
#[inline]
pub(super) fn phone(digits: &[u8]) -> Block {
    start_of(digits, PHONE)
}

#[inline]
pub(super) fn nir(characters: &[u8]) -> Block {
    start_of(characters, NIR)
}

/// The clue to an IBAN: its first fifteen characters, the least that one has.
#[inline]
pub(super) fn iban(characters: &[u8]) -> Block {
    start_of(characters, IBAN)
}

/// The clue to a digest: its first fifteen bytes, whatever it is a digest by.
#[inline]
pub(super) fn digest(bytes: &[u8]) -> Block {
    start_of(bytes, DIGEST)
}

#[inline]
fn start_of(bytes: &[u8], tag: u8) -> Block {
    let mut block = [0; 16];
    let length = bytes.len().min(15);
    block[..length].copy_from_slice(&bytes[..length]);
    block[15] = tag;
    block
}

/// An address's local part, and how much of its domain its clue takes, as a place in `AFTER`; none if it is no address
/// that the extractor would find.
pub(super) fn sides(address: &[u8]) -> Option<(&[u8], usize)> {
    let at = address.iter().position(|byte| *byte == b'@')?;
    let (local, domain) = (&address[..at], &address[at + 1..]);
    let behind = AFTER.iter().position(|length| *length <= domain.len())?;
    ((1..=64).contains(&local.len()) && local.iter().all(|byte| is_local(*byte))).then_some((local, behind))
}

/// The longest run of word's bytes in a password; none if it has none.
pub(super) fn longest_part(password: &[u8]) -> Option<&[u8]> {
    password.split(|byte| !tokens::within(*byte)).filter(|part| !part.is_empty()).max_by_key(|part| part.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_spaces_and_lengths_keep_apart() {
        let key = ClueKey::new(blake3::hash(b"a key").as_bytes());
        let long = [7; 64];
        let mut seen: Vec<u64> = (0..=64).map(|length| key.whole(1, &long[..length])).collect();
        seen.extend((0..=64).map(|length| key.whole(2, &long[..length])));
        seen.extend(
            [word(b"abc"), word(b"abd"), part(b"abc"), phone(b"abc"), nir(b"abc")].map(|block| key.hash(block)),
        );
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
        assert_eq!(word(b"JDupont"), word(b"jdupont"));
        let all: Vec<u8> = (0..128).collect();
        for (start, length) in (0..112).flat_map(|start| (1..=15).map(move |length| (start, length))) {
            let bytes = all[start..start + 16].try_into().expect("sixteen bytes");
            assert_eq!(short_word(bytes, length), word(&all[start..start + length]));
        }
        assert_ne!(word(b"a-word-of-seventeen"), word(b"a-word-xf-seventeen-"));
        assert_eq!(longest_part(b"pa;ss-word'x"), Some(&b"ss-word"[..]));
        assert_eq!(longest_part(b"!?"), None);
    }
}
