//! Any CSV file at all: either it is refused and stays, or what is planted in it is read and goes again to the byte.

use crate::stores::contract::{canary, placed, read};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs};
use telltale::{
    domain::{placement::Planting, section::Section},
    stores::{
        csv,
        store::{NewPlanting, StoreError},
    },
};

/// Files that are nearly right: a header, and rows of odd fields under odd line ends.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        4 => "[a-zé0-9 ]{0,6}".prop_map(String::into_bytes),
        1 => "\"([a-z;,\n\r]|\"\"){0,6}\"".prop_map(String::into_bytes),
        1 => proptest::collection::vec(prop_oneof![0x20u8..0x7f, 0x80u8..], 0..4)
            .prop_map(|bytes| bytes.into_iter().filter(|byte| !b"\";,|\t".contains(byte)).collect()),
    ];
    let row = proptest::collection::vec(field, 3);
    let end = prop_oneof![3 => Just("\n"), 3 => Just("\r\n"), 1 => Just("\r"), 1 => Just("\n\n")];
    let rows = proptest::collection::vec((row, end.clone()), 0..6);
    let delimiter = prop_oneof![Just(b','), Just(b';'), Just(b'\t'), Just(b'|')];
    (rows, end, delimiter, any::<bool>(), any::<bool>()).prop_map(|(rows, end, delimiter, mark, bare)| {
        let mut text = if mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        text.extend([&b"mail"[..], b"name", b"note"].join(&delimiter));
        text.extend_from_slice(end.as_bytes());
        for (row, end) in &rows {
            text.extend(row.join(&delimiter));
            text.extend_from_slice(end.as_bytes());
        }
        while bare && matches!(text.last(), Some(b'\n' | b'\r')) {
            text.pop();
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn comes_back_to_the_byte(text in file(), values in proptest::collection::vec("\\PC{0,12}|[\"\r\n;,\t]{1,4}", 3)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.csv");
        fs::write(&path, &text).unwrap();
        let keys = toml::toml! { path = "any.csv" };
        let section = Section { name: "any".into(), keys, folder: folder.path().to_owned() };
        let store = (csv::ENTRY.build)(&section).unwrap();
        let new: Vec<NewPlanting> = values
            .iter()
            .enumerate()
            .map(|(number, value)| NewPlanting {
                canary: canary(number as u32),
                planting: Planting::Row(BTreeMap::from([
                    ("mail".to_owned(), format!("canary.{number}@courriel.example")),
                    ("name".to_owned(), value.clone()),
                ])),
                marker_columns: vec!["mail".to_owned()],
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            match store.plant(&new).await {
                Ok(locators) => {
                    let rows = read(&*store, &[]).await;
                    for (new, locator) in new.iter().zip(&locators) {
                        let (Planting::Row(given), Planting::Row(found)) = (&new.planting, &rows[locator]) else {
                            panic!("not rows")
                        };
                        assert_eq!((&found["mail"], &found["name"]), (&given["mail"], &given["name"]));
                    }
                    assert_eq!(store.withdraw(&placed(&new, &locators)).await.unwrap().removed.len(), 3);
                }
                Err(StoreError::Refused(_)) => {}
                Err(other) => panic!("{other}"),
            }
        });
        prop_assert_eq!(fs::read(&path).unwrap(), text);
    }
}
