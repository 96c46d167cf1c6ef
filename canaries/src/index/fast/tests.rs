//! The fast scanner against the reference, on every instruction set: the same findings, field by field.

use super::{Isa, Reach, scan_with};
use crate::{
    index::{FingerprintKey, Found, Image, ImageBuilder, ImageKey, Index, Owner, scan},
    marker::{Marker, MarkerKind},
};
use proptest::prelude::*;

fn both(markers: &[(MarkerKind, &str)]) -> (Index, Image<Vec<u8>>) {
    let mut index = Index::new(FingerprintKey::new([7; 32]));
    let key = ImageKey::new([9; 32]);
    let mut builder = ImageBuilder::new(key.clone(), [5; 16], 1);
    for (number, (kind, value)) in markers.iter().enumerate() {
        let marker = Marker { kind: *kind, value: (*value).to_owned() };
        // Some have two markers, so that weak ones are supported.
        let owner = Owner::Ghost(number as u32 / 2);
        for (fingerprint, kind, digest) in index.key().all(&marker) {
            index.insert(fingerprint, owner, kind, digest);
        }
        builder.add(owner, &marker);
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes).expect("memory takes everything");
    (index, Image::open(bytes, &key).expect("it was just built"))
}

const PLANTED: [(MarkerKind, &str); 22] = [
    (MarkerKind::WorkEmail, "alice.martin@example.org"),
    (MarkerKind::Phone, "+33639980012"),
    (MarkerKind::Nir, "285057800608436"),
    (MarkerKind::Iban, "FR1420041010050500013M02606"),
    (MarkerKind::EmployeeNumber, "EMP-00123"),
    (MarkerKind::Username, "amartin7"),
    (MarkerKind::Password, "pa;s,w'o\"r:d 9"),
    (MarkerKind::BadgeNumber, "B 778812"),
    (MarkerKind::DocumentLink, "k3j4h5k6j7h8k9m0"),
    (MarkerKind::Username, "zoé.lefèvre"),
    (MarkerKind::Password, "Soleil-2024"),
    (MarkerKind::Password, "été!chaud"),
    (MarkerKind::WorkEmail, "dc@a.fr"),
    (MarkerKind::PersonalEmail, "o'neil_x@mail.example.co"),
    (MarkerKind::Nir, "185052A006084"),
    (MarkerKind::Phone, "+442079460000"),
    (MarkerKind::Iban, "DE89370400440532013000"),
    (MarkerKind::Password, "a b"),
    (MarkerKind::Password, "4bcd"),
    (MarkerKind::Username, "a-very-long-user-name-of-forty-characters"),
    (MarkerKind::Password, "x%y=z"),
    (MarkerKind::BadgeNumber, "123"),
];

fn all_of(text: &[u8], scan: impl FnOnce(&[u8], &mut dyn FnMut(Found))) -> Vec<Found> {
    let mut found = Vec::new();
    scan(text, &mut |finding| found.push(finding));
    found
}

/// Fails where any path differs from the reference.
fn compare(text: &[u8], (index, image): &(Index, Image<Vec<u8>>)) -> Vec<Found> {
    let expected = all_of(text, |text, visit| scan(text, index, visit));
    for isa in Isa::all() {
        let found = all_of(text, |text, visit| scan_with(isa, Reach::Everything, text, image, visit));
        assert_eq!(found, expected, "{isa:?} in {:?}", String::from_utf8_lossy(text));
    }
    image.sound().expect("nothing was changed");
    expected
}

/// Markers as they are written by others.
fn spelled() -> impl Strategy<Value = String> {
    let value = prop::sample::select(PLANTED.map(|(_, value)| value).to_vec());
    (value, 0_usize..16, any::<u64>()).prop_map(|(value, style, dice)| spell(value, style, dice))
}

fn spell(value: &str, style: usize, dice: u64) -> String {
    let each = |write: &dyn Fn(char) -> String| value.chars().map(write).collect::<String>();
    let some = |character: char| dice.rotate_left(character as u32) & 3 == 0;
    match style {
        0 => value.to_uppercase(),
        1 => each(&|c| if some(c) && c.is_ascii() { format!("%{:02X}", c as u32) } else { c.to_string() }),
        2 => each(&|c| if some(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() }),
        3 => each(&|c| if some(c) { format!("&#{};", c as u32) } else { c.to_string() }),
        4 => each(&|c| if some(c) && c.is_ascii() { format!("={:02X}", c as u32) } else { c.to_string() }),
        5 => each(&|c| if some(c) { format!("=\r\n{c}") } else { c.to_string() }),
        6 => each(&|c| if c == '\'' || some(c) { format!("\\{c}") } else { c.to_string() }),
        7 => each(&|c| if c.is_ascii_digit() { format!("{c} ") } else { c.to_string() }),
        8 => each(&|c| if c.is_ascii_digit() { format!("{c}\u{a0}") } else { c.to_string() }),
        9 => value.replace('"', "\"\""),
        10 => value.replace('\'', "''"),
        11 => digest_of(value, dice),
        12 => each(&|c| if some(c) && c.is_ascii() { format!("\\x{:02x}", c as u32) } else { c.to_string() }),
        13 => value.replace('@', ["%40", "=40", "\\u0040", "\\x40", "\\@", "&#64;", "&commat;"][dice as usize % 7]),
        14 => value.replace("+33", ["0", "0033", "+33 (0)", "33"][dice as usize % 4]),
        _ => value.to_owned(),
    }
}

fn digest_of(value: &str, dice: u64) -> String {
    use crate::index::Digest;
    use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
    let bytes = Digest::ALL[dice as usize % 5].of(value);
    match dice / 5 % 6 {
        0 => HEXLOWER.encode(&bytes),
        1 => HEXUPPER.encode(&bytes),
        2 => BASE64.encode(&bytes),
        3 => BASE64URL_NOPAD.encode(&bytes),
        4 => format!("ab12{}", HEXLOWER.encode(&bytes)),
        _ => BASE64.encode(&bytes).replace('/', "\\/"),
    }
}

/// Texts that are nothing but borders.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z \n,;'\"éà.@:|=<>&%/\\\\+-]{0,40}",
        "([%&=\\\\@'\":,;.+ _()-]|%4|%3B|&#|&amp;|=\r\n|\\\\u00|\\\\n|FR14|IBAN|0033|2A|[a-f0-9]|é|\u{a0}|’|\n|\r\n|\t){0,40}",
        "[0-9 ./+-]{0,40}",
        "[a-f0-9]{0,140}",
        "[A-Za-z0-9+/=]{0,100}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn it_finds_what_the_reference_finds(
        parts in prop::collection::vec(prop_oneof![2 => noise(), 3 => spelled(), 2 => prop::sample::select(vec![
            ",", ";", ":", "\"", "'", " ", "\n", "\t", "|", "=", "&", ">", "<", "\\", "\\n", "%", "-", ".", "@", "/", "x", "0", "\r\n", "`", "é",
        ]).prop_map(str::to_owned)], 0..24),
    ) {
        let text = parts.concat();
        compare(text.as_bytes(), &both(&PLANTED));
    }

    #[test]
    fn any_bytes_are_read_alike(bytes in prop::collection::vec(any::<u8>(), 0..3_000)) {
        compare(&bytes, &both(&PLANTED));
    }

    #[test]
    fn an_index_of_one_marker_is_asked_alike(
        (kind, value) in prop::sample::select(PLANTED.to_vec()),
        parts in prop::collection::vec(prop_oneof![noise(), spelled()], 0..12),
    ) {
        compare(parts.concat().as_bytes(), &both(&[(kind, value)]));
    }

    #[test]
    fn passwords_of_any_characters_are_found_alike(
        password in "[a-c!;,'\" é%=\\\\:.-]{1,12}",
        before in "[\n,;:'\" =>]{0,3}",
        after in "[\n,;:'\" &<]{0,3}",
        style in 0_usize..16,
        dice in any::<u64>(),
    ) {
        let text = format!("{before}{}{after}", spell(&password, style, dice));
        compare(text.as_bytes(), &both(&[(MarkerKind::Password, &password), (MarkerKind::Username, "abc")]));
    }
}

#[test]
fn markers_are_found_at_every_place_of_a_stretch() {
    let index = both(&PLANTED);
    let mut all = 0;
    for (number, (_, value)) in PLANTED.iter().enumerate() {
        for pad in (0..66).chain(4_058..4_098) {
            let filler = ["x,", "é;", "12 ", ". "][number % 4];
            let text = format!("{}\n{value};{}\n{value}", filler.repeat(pad / 2), "y".repeat(pad % 2));
            all += compare(text.as_bytes(), &index).len();
        }
    }
    assert!(all > 22 * 100, "{all}");
}

#[test]
fn dense_texts_lose_nothing() {
    let index = both(&PLANTED);
    let phones = "0639980012\n".repeat(3_000);
    assert_eq!(compare(phones.as_bytes(), &index).len(), 3_000);
    let addresses = "alice.martin@example.org,".repeat(2_000);
    assert_eq!(compare(addresses.as_bytes(), &index).len(), 2_000);
    compare("0".repeat(20_000).as_bytes(), &index);
    compare("ab12".repeat(5_000).as_bytes(), &index);
    compare("@".repeat(3_000).as_bytes(), &index);
    compare("a.".repeat(5_000).as_bytes(), &index);
}

#[test]
fn base64_is_not_taken_for_hexadecimal() {
    // Found in an earlier design: runs of a digest's length that are no hexadecimal digits.
    let index = both(&PLANTED);
    for length in [32, 40, 64, 128] {
        for place in 0..length {
            let mut run = vec![b'a'; length];
            run[place] = b'g';
            assert_eq!(compare(&run, &index), []);
        }
    }
}
