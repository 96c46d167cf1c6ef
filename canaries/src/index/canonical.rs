//! Canonical forms: the one spelling of a marker that is fingerprinted, whatever the spelling that was met.
//! It judges shapes only, never whether a number is anybody's.

use super::escapes::Flavour;
use crate::marker::MarkerKind;
use unicode_normalization::UnicodeNormalization;

/// Brings a value to the form under which its kind is fingerprinted; none if it cannot be of that kind.
///
/// Addresses, user names and links are lower-cased; phones become `+` and digits; an NIR its first 13 characters;
/// an IBAN, employee or badge number upper case without separators; a password stays as it is.
pub fn canonical(kind: MarkerKind, raw: &str) -> Option<String> {
    match kind {
        MarkerKind::WorkEmail | MarkerKind::PersonalEmail => address(raw),
        MarkerKind::Phone => {
            let digits = Digits::of(raw.trim())?;
            phone(&digits.characters, digits.plus).map(|number| text_of(&number))
        }
        MarkerKind::Nir => nir(&Digits::of(raw.trim())?.characters).map(text_of),
        MarkerKind::Iban => iban(raw),
        MarkerKind::EmployeeNumber | MarkerKind::BadgeNumber => number(raw),
        MarkerKind::Username => username(raw),
        MarkerKind::Password => (!raw.is_empty()).then(|| raw.to_owned()),
        MarkerKind::DocumentLink => link(raw),
    }
}

/// The bytes that an address's local part may hold here.
pub(super) fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'\'')
}

fn address(raw: &str) -> Option<String> {
    let raw = raw.trim().trim_start_matches("mailto:").trim_matches(['<', '>']);
    if well_formed(raw) {
        return Some(raw.to_ascii_lowercase());
    }
    Flavour::within(raw.as_bytes()).find_map(|flavour| {
        let text = String::from_utf8(flavour.decode(raw.as_bytes(), 0, raw.len()).bytes).ok()?;
        well_formed(&text).then(|| text.to_ascii_lowercase())
    })
}

fn well_formed(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else { return false };
    (1..=64).contains(&local.len())
        && local.bytes().all(is_local)
        && (3..=253).contains(&domain.len())
        && domain.contains('.')
        && domain
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// The length of the separator with which `text` begins, as people and formats write it within a number.
pub(super) fn separator(text: &[u8]) -> Option<usize> {
    const WRITTEN: [&[u8]; 15] = [
        b"\xc2\xa0",
        b"\xe2\x80\xaf",
        b"\xe2\x80\x89",
        b"\xe2\x80\x91",
        b"\xe2\x80\x93",
        b"\\u00a0",
        b"\\u00A0",
        b"\\u202f",
        b"\\/",
        b"&nbsp;",
        b"&#160;",
        b"&#xa0;",
        b"%20",
        b"%C2%A0",
        b"=C2=A0",
    ];
    match text.first()? {
        b' ' | b'.' | b'-' | b'/' | b'(' | b')' | b'_' | b'\xa0' | b'+' => Some(1),
        b'\xc2' | b'\xe2' | b'\\' | b'&' | b'%' | b'=' => {
            WRITTEN.iter().find(|written| text.starts_with(written)).map(|written| written.len())
        }
        _ => None,
    }
}

/// The digits of a number, written with separators.
struct Digits {
    characters: Vec<u8>,
    plus: bool,
}

impl Digits {
    /// None if anything else stands in it, the letter of a Corsican NIR aside.
    fn of(raw: &str) -> Option<Digits> {
        let raw = raw.strip_prefix("tel:").unwrap_or(raw).as_bytes();
        let plus = raw.first() == Some(&b'+');
        let mut characters = Vec::with_capacity(16);
        let mut at = usize::from(plus);
        while at < raw.len() {
            match separator(&raw[at..]) {
                Some(length) => at += length,
                None if is_digit_of_nir(&characters, raw[at]) && characters.len() < 20 => {
                    characters.push(raw[at].to_ascii_uppercase());
                    at += 1;
                }
                None => return None,
            }
        }
        Some(Digits { characters, plus })
    }
}

/// Whether this byte may follow these digits: a digit, or the A or B of Corsica in an NIR.
pub(super) fn is_digit_of_nir(before: &[u8], byte: u8) -> bool {
    byte.is_ascii_digit() || (before.len() == 6 && before[5] == b'2' && matches!(byte, b'A' | b'B' | b'a' | b'b'))
}

/// A telephone number in its canonical form, of at most 16 characters.
#[derive(Clone, Copy)]
pub(super) struct Dialled {
    characters: [u8; 16],
    length: usize,
}

impl Dialled {
    fn new(country: &[u8], rest: &[u8]) -> Dialled {
        let mut characters = [0; 16];
        let length = 1 + country.len() + rest.len();
        characters[0] = b'+';
        characters[1..=country.len()].copy_from_slice(country);
        characters[1 + country.len()..length].copy_from_slice(rest);
        Dialled { characters, length }
    }
}

impl std::ops::Deref for Dialled {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.characters[..self.length]
    }
}

/// The canonical phone of these digits: `+`, country, number. A number without country is French.
pub(super) fn phone(digits: &[u8], plus: bool) -> Option<Dialled> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let abroad = if plus { Some(digits) } else { digits.strip_prefix(b"00").filter(|rest| rest.len() >= 8) };
    if let Some(rest) = abroad {
        // `+33 (0)6…`: the zero between brackets is not dialled.
        let (country, rest): (&[u8], _) = match rest.strip_prefix(b"330") {
            Some(national) if national.len() == 9 => (b"33", national),
            _ => (b"", rest),
        };
        let fits = (8..=15).contains(&(country.len() + rest.len())) && (!country.is_empty() || rest[0] != b'0');
        return fits.then(|| Dialled::new(country, rest));
    }
    let national = match digits.len() {
        9 => digits,
        10 => digits.strip_prefix(b"0")?,
        11 => digits.strip_prefix(b"33")?,
        12 => digits.strip_prefix(b"330")?,
        _ => return None,
    };
    (national[0] != b'0').then(|| Dialled::new(b"33", national))
}

fn text_of(characters: &[u8]) -> String {
    String::from_utf8_lossy(characters).into_owned()
}

/// The canonical NIR of these characters: the 13 before the key.
pub(super) fn nir(characters: &[u8]) -> Option<&[u8]> {
    if !matches!(characters.len(), 13 | 15) || !matches!(characters[0], b'1'..=b'4' | b'7' | b'8') {
        return None;
    }
    let month = (characters[3].wrapping_sub(b'0')) as u32 * 10 + (characters[4].wrapping_sub(b'0')) as u32;
    let plausible = matches!(month, 1..=12 | 20..=42 | 50..=99);
    plausible.then(|| &characters[..13])
}

fn iban(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let raw = raw.strip_prefix("IBAN").unwrap_or(raw).trim_start_matches([':', ' ']);
    let text = compact(raw)?;
    (is_iban_start(text.as_bytes()) && (15..=34).contains(&text.len()) && Mod97::of(text.as_bytes())?.is_iban())
        .then_some(text)
}

/// Whether it begins as an IBAN does: country, check digits.
pub(super) fn is_iban_start(text: &[u8]) -> bool {
    matches!(text, [a, b, c, d, ..] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit())
}

/// The check of an IBAN, one character at a time.
#[derive(Clone, Copy, Default)]
pub(super) struct Mod97 {
    /// Country and check digits, as numbers: they count last.
    head: u64,
    head_scale: u64,
    rest: u64,
    seen: usize,
}

impl Mod97 {
    fn of(text: &[u8]) -> Option<Mod97> {
        text.iter().try_fold(Mod97::default(), |sum, &byte| sum.then(byte))
    }

    /// With one more character; none if it is neither digit nor letter.
    pub fn then(mut self, byte: u8) -> Option<Mod97> {
        let value = (byte as char).to_digit(36)? as u64;
        let scale = if value > 9 { 100 } else { 10 };
        if self.seen < 4 {
            self.head = self.head * scale + value;
            self.head_scale = self.head_scale.max(1) * scale;
        } else {
            self.rest = (self.rest * scale + value) % 97;
        }
        self.seen += 1;
        Some(self)
    }

    pub fn is_iban(self) -> bool {
        (self.rest * (self.head_scale % 97) + self.head) % 97 == 1
    }
}

/// Upper case without separators; none if anything but letters and digits is left.
fn compact(raw: &str) -> Option<String> {
    let raw = raw.as_bytes();
    let mut text = String::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        match separator(&raw[at..]) {
            Some(length) => at += length,
            None if raw[at].is_ascii_alphanumeric() => {
                text.push(raw[at].to_ascii_uppercase() as char);
                at += 1;
            }
            None => return None,
        }
    }
    Some(text)
}

fn number(raw: &str) -> Option<String> {
    let text = compact(raw.trim())?;
    ((3..=32).contains(&text.len()) && text.bytes().any(|byte| byte.is_ascii_digit())).then_some(text)
}

fn username(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let text = if raw.is_ascii() {
        raw.to_ascii_lowercase()
    } else {
        raw.nfkc().flat_map(char::to_lowercase).nfkc().collect()
    };
    (!text.is_empty() && text.len() <= 256).then_some(text)
}

/// The segment of a link's path that no name or word makes: the longest of letters and digits alone that holds both,
/// else the longest. A file's extension is not part of it. Where the path has none, such a label of the host.
fn link(raw: &str) -> Option<String> {
    let whole = raw.trim().split(['?', '#']).next()?;
    let (host, path) = match whole.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("", whole),
    };
    let random = |segment: &&str| {
        segment.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && segment.bytes().any(|byte| byte.is_ascii_digit())
            && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let labels = host.split(['.', ':']).filter(|label| (8..=63).contains(&label.len()));
    link_segments(path)
        .filter(random)
        .max_by_key(|segment| segment.len())
        .or_else(|| link_segments(path).max_by_key(|segment| segment.len()))
        .or_else(|| labels.filter(random).max_by_key(|label| label.len()))
        .map(str::to_ascii_lowercase)
}

/// The segments of a path that may be a link's random one.
pub(super) fn link_segments(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\', '?', '#', '=', '&'])
        .map(|segment| segment.split('.').next().unwrap_or(segment))
        .filter(|segment| (8..=128).contains(&segment.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use MarkerKind::*;

    fn all_become(kind: MarkerKind, canonical_form: &str, raws: &[&str]) {
        for raw in raws {
            assert_eq!(canonical(kind, raw).as_deref(), Some(canonical_form), "{raw:?}");
        }
    }

    #[test]
    fn phones_of_every_spelling_are_one() {
        let raws = [
            "0639980012",
            "06 39 98 00 12",
            "06.39.98.00.12",
            "06-39-98-00-12",
            "06/39/98/00/12",
            "06  39  98  00  12",
            "06\u{a0}39\u{a0}98\u{a0}00\u{a0}12",
            "06\u{202f}39\u{202f}98\u{202f}00\u{202f}12",
            "+33639980012",
            "+33 6 39 98 00 12",
            "+33 (0)6 39 98 00 12",
            "+33(0)639980012",
            "0033639980012",
            "00 33 6 39 98 00 12",
            "0033 (0)6 39 98 00 12",
            "33639980012",
            "639980012",
            "tel:+33639980012",
            " 0639980012 ",
        ];
        all_become(Phone, "+33639980012", &raws);
        all_become(Phone, "+442079460000", &["+44 20 7946 0000", "0044 20 7946 0000"]);
        for wrong in ["", "06", "063998001", "06399800123", "06 39 98 00 1x", "+", "0000000000"] {
            assert_eq!(canonical(Phone, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_nir_loses_its_key_and_keeps_corsica() {
        all_become(
            Nir,
            "2850578006084",
            &["2850578006084", "285057800608436", "2 85 05 78 006 084", "2 85 05 78 006 084 36"],
        );
        all_become(Nir, "185052A006084", &["1 85 05 2A 006 084", "185052a006084", "185052A00608491"]);
        for wrong in ["9850578006084", "2851578006084", "28505780060843", "185052C006084", ""] {
            assert_eq!(canonical(Nir, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn ibans_are_grouped_or_not_and_checked() {
        let raws = [
            "FR1420041010050500013M02606",
            "FR14 2004 1010 0505 0001 3M02 606",
            "fr14 2004 1010 0505 0001 3m02 606",
            "FR14-2004-1010-0505-0001-3M02-606",
            "IBAN: FR14 2004 1010 0505 0001 3M02 606",
        ];
        all_become(Iban, "FR1420041010050500013M02606", &raws);
        all_become(Iban, "DE89370400440532013000", &["DE89 3704 0044 0532 0130 00"]);
        assert_eq!(canonical(Iban, "FR1420041010050500013M02607"), None);
        assert_eq!(canonical(Iban, "FR14"), None);
    }

    #[test]
    fn addresses_are_folded_and_unescaped() {
        let raws = [
            "Alice.Martin@Example.org",
            "<alice.martin@example.org>",
            "mailto:alice.martin@example.org",
            "alice.martin%40example.org",
            r"alice.martin\u0040example.org",
            "alice.martin&#64;example.org",
            "alice.martin&#x40;example.org",
            "alice.martin=40exam=\r\nple.org",
        ];
        all_become(WorkEmail, "alice.martin@example.org", &raws);
        all_become(PersonalEmail, "alice.martin@example.org", &raws);
        for wrong in ["alice", "@example.org", "alice@localhost", "a b@example.org", "alice@exa..org", "alice@b@c.org"]
        {
            assert_eq!(canonical(WorkEmail, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn names_numbers_and_links() {
        all_become(Username, "jdupont", &["jdupont", "JDUPONT", " jDupont ", "ｊｄｕｐｏｎｔ"]);
        all_become(Username, "zoé", &["ZOÉ", "zoe\u{301}"]);
        all_become(EmployeeNumber, "EMP00123", &["EMP00123", "emp-00123", "EMP 00123", "EMP.00123", "emp_00123"]);
        assert_eq!(canonical(BadgeNumber, "badge"), None);
        assert_eq!(canonical(Password, " Été;2024\" ").as_deref(), Some(" Été;2024\" "));
        let links = [
            "k3j4h5k6j7h8k9m0",
            "K3J4H5K6J7H8K9M0",
            "/d/k3j4h5k6j7h8k9m0",
            "https://docs.example.org/d/k3j4h5k6j7h8k9m0?x=1#y",
            "https://docs.example.org/k3j4h5k6j7h8k9m0/bulletin-de-paie-mai-2026.pdf",
            "https://docs.example.org/k3j4h5k6j7h8k9m0.png",
            "https://k3j4h5k6j7h8k9m0.docs.example.org",
            "https://K3J4H5K6J7H8K9M0.docs.example.org:8443/rh/voir?x=1",
        ];
        all_become(DocumentLink, "k3j4h5k6j7h8k9m0", &links);
        assert_eq!(canonical(DocumentLink, "https://docs.example.org/"), None);
        assert_eq!(canonical(DocumentLink, "https://documents.example.org/rh/"), None);
        assert_eq!(canonical(DocumentLink, "https://server2024.example.org/abcdefgh").as_deref(), Some("abcdefgh"));
    }
}
