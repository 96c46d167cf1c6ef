//! The golden table of forms: every spelling of every kind of marker is found, at its place and once.

use super::{Digest, FingerprintKey, Found, Index, Owner, scan};
use crate::marker::{Marker, MarkerKind};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// An index of one canary's markers.
pub(super) fn index_of(markers: &[(MarkerKind, &str)]) -> Index {
    let mut index = Index::new(FingerprintKey::new([7; 32]));
    for (number, (kind, value)) in markers.iter().enumerate() {
        let marker = Marker { kind: *kind, value: (*value).to_owned() };
        let fingerprints = index.key().all(&marker);
        assert!(!fingerprints.is_empty(), "{value:?} has no canonical form");
        for (fingerprint, kind, digest) in fingerprints {
            index.insert(fingerprint, Owner::Ghost(number as u32), kind, digest);
        }
    }
    index
}

pub(super) fn findings(text: &[u8], index: &Index) -> Vec<Found> {
    let mut found = Vec::new();
    scan(text, index, &mut |finding| found.push(finding));
    found
}

const PLANTED: [(MarkerKind, &str); 9] = [
    (MarkerKind::WorkEmail, "alice.martin@example.org"),
    (MarkerKind::Phone, "+33639980012"),
    (MarkerKind::Nir, "285057800608436"),
    (MarkerKind::Iban, "FR1420041010050500013M02606"),
    (MarkerKind::EmployeeNumber, "EMP-00123"),
    (MarkerKind::Username, "amartin7"),
    (MarkerKind::Password, "pa;s,w'o\"r:d 9"),
    (MarkerKind::BadgeNumber, "B 778812"),
    (MarkerKind::DocumentLink, "k3j4h5k6j7h8k9m0"),
];

#[test]
fn every_form_is_found_at_its_place_and_once() {
    let index = index_of(&PLANTED);
    // The marker's number, and a text in which `«` stands before its first byte.
    let table: &[(u32, &str)] = &[
        (0, "to «alice.martin@example.org, please"),
        (0, "«ALICE.Martin@Example.ORG"),
        (0, "<a href='mailto:«alice.martin@example.org'>"),
        (0, "q=«alice.martin%40example.org&x=1"),
        (0, "q%3D«alice.martin%40example.org%26"),
        (0, r#"{"m":"«alice.martin\u0040example.org"}"#),
        (0, r#"{"m":"x\n«alice.martin@example.org\n"}"#),
        (0, "x «alice.martin&#64;example.org."),
        (0, "x «alice.martin&#x40;example.org."),
        (0, "x=20«alice.martin=40exam=\r\nple.org"),
        (0, "INSERT INTO t VALUES (1,'«alice.martin@example.org','x')"),
        (0, "«alice.martin@example.org:secret"),
        (0, "end «alice.martin@example.org.Next"),
        (1, "tel «0639980012;"),
        (1, "tel «06 39 98 00 12 and"),
        (1, "tel «06.39.98.00.12."),
        (1, "tel «06  39  98  00  12"),
        (1, "tel «06\u{a0}39\u{a0}98\u{a0}00\u{a0}12"),
        (1, "tel «06&nbsp;39&nbsp;98&nbsp;00&nbsp;12"),
        (1, "12 «06/39/98/00/12"),
        (1, r"«06\/39\/98\/00\/12"),
        (1, "tel «+33 6 39 98 00 12"),
        (1, "tel «+33 (0)6 39 98 00 12"),
        (1, "tel «+33639980012"),
        (1, "tel=%2B«33639980012"),
        (1, "tel «0033 6 39 98 00 12"),
        (1, "tel «0033639980012"),
        (1, "\"«639980012\""),
        (2, ",«285057800608436,"),
        (2, ",«2850578006084,"),
        (2, "n° «2 85 05 78 006 084 36 de"),
        (3, ";«FR1420041010050500013M02606;"),
        (3, "IBAN«FR1420041010050500013M02606"),
        (3, "IBAN : «FR14 2004 1010 0505 0001 3M02 606 PARIS"),
        (3, "«fr14-2004-1010-0505-0001-3m02-606"),
        (4, "('«EMP-00123',"),
        (4, "('«emp00123',"),
        (4, "no «EMP 00123."),
        (5, "user=«amartin7&"),
        (5, r"CORP\«AMARTIN7 logged in"),
        (5, "«amartin7:x"),
        (6, "bob:«pa;s,w'o\"r:d 9\n"),
        (6, "bob,\"«pa;s,w'o\"\"r:d 9\",x"),
        (6, "('bob', '«pa;s,w''o\"r:d 9')"),
        (6, r#"('bob', '«pa;s,w\'o\"r:d 9')"#),
        (6, r#"{"p":"«pa;s,w'o\"r:d 9"}"#),
        (6, "<td>«pa;s,w&#39;o&quot;r:d 9</td>"),
        (6, "bob\t«pa;s,w'o\"r:d 9\tx"),
        (6, "p=«pa%3Bs%2Cw'o%22r:d%209&x=1"),
        (7, "badge «B778812,"),
        (7, "badge «b-778812,"),
        (8, "https://docs.example.org/d/«k3j4h5k6j7h8k9m0?x"),
        (8, "/«k3j4h5k6j7h8k9m0.pdf"),
        (8, "/«K3J4H5K6J7H8K9M0/bulletin.pdf"),
    ];
    for (owner, marked) in table {
        let offset = marked.find('«').expect("each sample shows its place");
        let text = marked.replace('«', "");
        let found = findings(text.as_bytes(), &index);
        let places: Vec<_> = found.iter().map(|found| (found.owner, found.offset)).collect();
        assert_eq!(places, [(Owner::Ghost(*owner), offset as u64)], "in {text:?}");
    }
}

#[test]
fn every_digest_is_found_in_every_writing() {
    let index = index_of(&PLANTED);
    for (owner, value) in [(0, "alice.martin@example.org"), (6, "pa;s,w'o\"r:d 9")] {
        for digest in Digest::ALL {
            let bytes = digest.of(value);
            let writings = [
                HEXLOWER.encode(&bytes),
                HEXUPPER.encode(&bytes),
                format!("0x{}", HEXUPPER.encode(&bytes)),
                format!("{{SHA}}{}", BASE64.encode(&bytes)),
                BASE64.encode(&bytes).replace('/', "\\/"),
                BASE64URL_NOPAD.encode(&bytes),
            ];
            for writing in writings {
                let found = findings(format!("x,\"{writing}\";y").as_bytes(), &index);
                let seen: Vec<_> = found.iter().map(|found| (found.owner, found.digest)).collect();
                assert_eq!(seen, [(Owner::Ghost(owner), Some(*digest))], "{writing}");
                let matched = index.recognise(None, &writing);
                assert_eq!(matched.len(), 1, "{writing}");
            }
        }
    }
}

#[test]
fn a_presented_value_is_recognised() {
    let index = index_of(&PLANTED);
    let owner = |hint, value: &str| index.recognise(hint, value).first().map(|found| found.owner);
    let named = Some(MarkerKind::Username);
    assert_eq!(owner(named, "AMartin7"), Some(Owner::Ghost(5)));
    assert_eq!(owner(named, r"CORP\amartin7"), Some(Owner::Ghost(5)));
    assert_eq!(owner(named, "Alice.Martin@example.org"), Some(Owner::Ghost(0)));
    assert_eq!(owner(Some(MarkerKind::PersonalEmail), "alice.martin@example.org"), Some(Owner::Ghost(0)));
    assert_eq!(owner(Some(MarkerKind::Password), PLANTED[6].1), Some(Owner::Ghost(6)));
    assert_eq!(owner(Some(MarkerKind::DocumentLink), "/d/k3j4h5k6j7h8k9m0/payslip-of-may.pdf"), Some(Owner::Ghost(8)));
    assert_eq!(owner(None, "06 39 98 00 12"), Some(Owner::Ghost(1)));
    assert_eq!(owner(named, "someone"), None);
    assert_eq!(owner(named, &"x".repeat(10_000_000)), None);
}

#[test]
fn numbers_within_words_are_none() {
    let index = index_of(&PLANTED);
    for text in ["xEMP00123", "EMP001234", "10639980012", "06399800123", "amartin78", "aFR1420041010050500013M02606"] {
        assert_eq!(findings(text.as_bytes(), &index), [], "{text}");
    }
}
