//! The filter file and what is asked of it, by the library alone.

use canaries::{MarkerKind, index};
use gate::{Builder, Gate, GateError, GateKey};
use proptest::prelude::*;
use std::collections::BTreeSet;

// One place for what is fuzzed here and by the fuzz targets.
#[path = "../../../fuzz/bodies/gate.rs"]
mod bodies;

fn gate(names: &BTreeSet<String>, key: [u8; 32]) -> (Vec<u8>, GateKey) {
    let key = GateKey::new(key);
    let mut builder = Builder::new(key.clone());
    names.iter().for_each(|name| builder.add(name));
    (builder.write("vpn", 1_780_000_000).unwrap(), key)
}

/// User names and addresses as houses have them.
const NAME: &str = "[a-z]{1,12}([.-][a-zéèç]{1,12})?[0-9]{0,3}(@[a-z]{1,8}\\.example\\.org)?";

proptest! {
    #[test]
    fn every_canary_is_known_and_no_stranger(names in prop::collection::btree_set(NAME, 0..200),
                                             others in prop::collection::btree_set(NAME, 1..200), key in any::<[u8; 32]>()) {
        let (file, key) = gate(&names, key);
        let gate = Gate::open(&file, &key).unwrap();
        for name in &names {
            let spelt = [name.clone(), name.to_uppercase(), format!("ACME\\{name}"), format!("acme.example.org/{name}"), format!(" {name} ")];
            for spelt in &spelt {
                prop_assert!(gate.knows(spelt), "{spelt:?}");
            }
            if !name.contains('@') {
                let with_realm = format!("{name}@ACME.EXAMPLE.ORG");
                prop_assert!(gate.knows(&with_realm));
            }
        }
        let canonical: BTreeSet<String> = names.iter().filter_map(|name| gate::canonical(name)).collect();
        let known = |name: &str| {
            let name = gate::canonical(name).unwrap_or_default();
            canonical.contains(&name) || name.split_once('@').is_some_and(|(local, _)| canonical.contains(local))
        };
        for other in others.iter().filter(|other| !known(other)) {
            prop_assert!(!gate.knows(other), "{other:?}");
        }
    }

    #[test]
    fn names_have_the_canonical_form_that_the_service_gives_them(name in "\\PC{0,300}", odd in "[ A-Zé\u{301}ﬁＡ-Ｚ\\\\/@İıßΣ\u{a0}\u{3000}]{0,20}") {
        for name in [&name, &odd] {
            prop_assert_eq!(gate::canonical(name), index::canonical(MarkerKind::Username, name));
        }
    }

    #[test]
    fn no_damaged_file_is_taken_for_whole(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        bodies::gate_open(&bytes);
    }

    #[test]
    fn any_text_is_answered_as_a_user_name(name in "(amartin7|AMARTIN7|alice\\.martin@example\\.org|zo\u{e9}|zoe\u{301}|@|\\\\|/| |\\PC){0,6}") {
        bodies::gate_names(&name);
    }
}

#[test]
fn what_does_not_open_says_why() {
    let names = BTreeSet::from(["jdupont".to_owned()]);
    let (file, key) = gate(&names, [7; 32]);
    let refused = |bytes: &[u8], key: &GateKey| Gate::open(bytes, key).unwrap_err();
    assert!(matches!(refused(&file, &GateKey::new([8; 32])), GateError::WrongKey));
    assert!(matches!(refused(b"", &key), GateError::NotAGate));
    assert!(matches!(refused(b"PK\x03\x04 something else", &key), GateError::NotAGate));
    for cut in [8, 9, 20, 50, file.len() / 2, file.len() - 1] {
        let error = refused(&file[..cut], &key);
        assert!(matches!(error, GateError::Truncated { .. }), "{cut}: {error}");
    }
    let longer = [&file[..], b"\0"].concat();
    assert!(matches!(refused(&longer, &key), GateError::Damaged));
    for version in [0_u16, 2, 0xffff] {
        let mut other = file.clone();
        other[8..10].copy_from_slice(&version.to_le_bytes());
        let error = refused(&other, &key);
        assert!(matches!(error, GateError::OtherVersion(found) if found == version), "{error}");
        assert!(error.to_string().contains("reads format 1"), "{error}");
    }
    // Another endpoint's file under this one's key: the name is sealed too.
    let mut builder = Builder::new(key.clone());
    builder.add("jdupont");
    let mail = builder.write("imap", 0).unwrap();
    assert_eq!(gate::endpoint(&mail).unwrap(), "imap");
    let mut renamed = mail.clone();
    let at = mail.windows(4).position(|window| window == b"imap").unwrap();
    renamed[at..at + 4].copy_from_slice(b"smtp");
    assert!(matches!(refused(&renamed, &key), GateError::WrongKey));
    for name in ["", "a b", "é", "../etc", &"x".repeat(65)] {
        assert!(matches!(Builder::new(key.clone()).write(name, 0), Err(GateError::NotAnEndpoint)), "{name:?}");
    }
}

#[test]
fn the_file_holds_no_name() {
    let names: BTreeSet<String> = (0..1000).map(|number| format!("jdupont{number}")).collect();
    let (file, key) = gate(&names, [1; 32]);
    assert!(!file.windows(7).any(|window| window == b"jdupont"));
    let shown = format!("{:?} {key:?}", Gate::open(&file, &key).unwrap());
    assert_eq!(shown, "Gate(vpn, 1000 names) GateKey(redacted)");
}

#[test]
fn a_hundred_thousand_canaries_with_their_ghosts_take_a_megabyte() {
    let key = GateKey::new([7; 32]);
    let mut builder = Builder::new(key.clone());
    (0..200_000).for_each(|number| builder.add(&format!("name{number}")));
    let file = builder.write("vpn", 0).unwrap();
    assert!(file.len() < 1_200_000, "{} bytes", file.len());
    let gate = Gate::open(&file, &key).unwrap();
    assert_eq!(gate.names(), 200_000);
    assert!((0..200_000).all(|number| gate.knows(&format!("name{number}"))));
    assert!(!(0..300_000).any(|number| gate.knows(&format!("stranger{number}@example.org"))));
}

#[test]
fn many_threads_ask_one_gate() {
    let names: BTreeSet<String> = (0..5000).map(|number| format!("name{number}")).collect();
    let (file, key) = gate(&names, [3; 32]);
    let gate = Gate::open(&file, &key).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let gate = &gate;
            scope.spawn(move || {
                for number in (thread..5000).step_by(3) {
                    assert!(gate.knows(&format!("NAME{number}")) && !gate.knows(&format!("other{number}")));
                    assert_eq!(gate.password_hmac("word").len(), 64);
                }
            });
        }
    });
}
