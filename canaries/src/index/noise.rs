//! Properties of the scanner: markers in noise are found where they stand, noise holds none, and no bytes upset it.

use super::{
    Found, Index, Owner,
    forms::{findings, index_of},
};
use crate::marker::{Marker, MarkerKind};
use proptest::prelude::*;

fn markers() -> impl Strategy<Value = (MarkerKind, String)> {
    prop_oneof![
        "[a-z]{3,9}\\.[a-z]{3,12}[0-9]{0,2}".prop_map(|name| (MarkerKind::WorkEmail, format!("{name}@example.org"))),
        "[0-9]{6}".prop_map(|digits| (MarkerKind::Phone, format!("+33639{digits}"))),
        "[12][0-9]{2}0[1-9]78[0-9]{6}".prop_map(|nir| (MarkerKind::Nir, nir)),
        "[A-Z]{2}-[0-9]{6}".prop_map(|number| (MarkerKind::EmployeeNumber, number)),
        "[a-z]{5,10}[0-9]{3}".prop_map(|name| (MarkerKind::Username, name)),
        "[a-z0-9]{16}".prop_map(|link| (MarkerKind::DocumentLink, link)),
    ]
}

/// The spellings of a marker.
fn spell(kind: MarkerKind, value: &str, style: usize) -> String {
    let grouped = |separator: &str| {
        let national = format!("0{}", &value[3..]);
        national.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(separator)
    };
    match (kind, style % 4) {
        (_, 0) => value.to_owned(),
        (MarkerKind::Phone, 1) => grouped(" "),
        (MarkerKind::Phone, 2) => grouped("."),
        (MarkerKind::Phone, _) => format!("+33 (0){}", &grouped("\u{a0}")[1..]),
        (MarkerKind::WorkEmail, 1) => value.replace('@', "%40"),
        (MarkerKind::WorkEmail, 2) => value.replace('@', "&#64;"),
        (MarkerKind::EmployeeNumber, 1) => value.replace('-', ""),
        _ => value.to_uppercase(),
    }
}

proptest! {
    #[test]
    fn a_marker_in_noise_is_found_at_its_place(
        (kind, value) in markers(),
        style in 0usize..4,
        before in "[a-zA-Z \n,;'\"éà]{0,200}",
        after in "[a-zA-Z \n,;'\"éà]{0,200}",
    ) {
        let index = index_of(&[(kind, &value)]);
        let text = format!("{before};{};{after}", spell(kind, &value, style));
        let expected = (before.len() as u64 + 1, before.matches('\n').count() as u64 + 1);
        let places: Vec<_> = findings(text.as_bytes(), &index).iter().map(|found| (found.offset, found.line)).collect();
        prop_assert_eq!(places, vec![expected]);
    }

    #[test]
    fn no_bytes_upset_it(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let found = findings(&bytes, &index_of(&[(MarkerKind::Username, "amartin7")]));
        prop_assert!(found.iter().all(|found: &Found| found.offset < bytes.len() as u64));
    }

    #[test]
    fn no_escapes_upset_it(text in "([%&=\\\\@'\":,;.+-]|%4|&#|=\r\n|\\\\u00|FR14|0033|[a-f0-9]|é| |\n){0,300}") {
        let index = index_of(&[(MarkerKind::Username, "amartin7")]);
        prop_assert!(findings(text.as_bytes(), &index).is_empty());
    }
}

#[test]
fn noise_holds_none_of_ten_thousand() {
    let mut index: Index = index_of(&[]);
    for number in 0..10_000u32 {
        let random = blake3::hash(&number.to_le_bytes()).to_hex();
        let value = match number % 3 {
            0 => (MarkerKind::Username, format!("u{}", &random[..9])),
            1 => (MarkerKind::Password, random[..12].to_owned()),
            _ => (MarkerKind::WorkEmail, format!("{}@example.org", &random[..10])),
        };
        for (fingerprint, kind, digest) in index.key().all(&Marker { kind: value.0, value: value.1 }) {
            index.insert(fingerprint, Owner::Ghost(number), kind, digest);
        }
    }
    assert!(index.len() > 10_000);
    let mut noise = vec![0; 200_000];
    blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut noise);
    noise.iter_mut().for_each(|byte| *byte = b"abcdef0123456789 ,;@.:\n'\"-"[usize::from(*byte) % 26]);
    assert_eq!(findings(&noise, &index), []);
}
