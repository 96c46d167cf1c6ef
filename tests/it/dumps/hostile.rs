//! Hostile files: bombs, damage, random bytes. Always an answer, never a clean one for what was not read.

use self::bodies::tight;
use super::{
    MARKER, find, find_within, gzip,
    table::containers::{containers, zip},
};
use proptest::prelude::*;
use std::sync::LazyLock;

// One place for what is fuzzed here and by the fuzz targets.
#[path = "../../../fuzz/bodies/dumps.rs"]
mod bodies;

#[test]
fn a_bomb_is_cut_short_and_named() {
    let zeros = vec![b'0'; 20 << 20];
    for (name, bomb) in
        [("bomb.gz", gzip(&zeros)), ("bomb.zip", zip(&[("a", &zeros)])), ("bomb2.gz", gzip(&gzip(&zeros)))]
    {
        assert!(bodies::shown(&bomb, &tight()) < 6 << 20, "{name}");
        let (_, summary) = find_within(name, &bomb, &tight());
        assert!(!summary.not_scanned.is_empty(), "{name}");
    }
}

#[test]
fn too_many_members_and_too_deep_ones_are_named() {
    let files: Vec<(String, &[u8])> = (0..9).map(|number| (format!("{number}.txt"), &b"x"[..])).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let (_, summary) = find_within("many.zip", &zip(&files), &tight());
    assert_eq!(summary.not_scanned.len(), 1);
    assert!(summary.not_scanned[0].reason.starts_with("4 members"), "{summary:?}");
    let deep = gzip(&gzip(&gzip(MARKER.as_bytes())));
    let (places, summary) = find_within("deep.gz", &deep, &tight());
    assert_eq!((places.len(), summary.not_scanned.len()), (0, 1));
}

#[test]
fn a_cut_container_is_read_as_far_as_it_goes() {
    let noise: String = (0..20_000u32).map(|number| format!("{};", number.wrapping_mul(2_654_435_761))).collect();
    let packed = gzip(format!("1;{MARKER}\n{noise}").as_bytes());
    let (places, summary) = find("leak.csv.gz", &packed[..packed.len() / 2]);
    assert_eq!((places.len(), summary.not_scanned.len()), (1, 1));
    let zipped = zip(&[("leak.csv", MARKER.as_bytes())]);
    let (_, summary) = find("leak.zip", &zipped[..zipped.len() - 30]);
    assert_eq!(summary.not_scanned.len(), 1);
}

#[test]
fn names_that_climb_out_are_labels_and_nothing_more() {
    let (places, _) = find("slip.zip", &zip(&[("../../etc/passwd", MARKER.as_bytes())]));
    assert_eq!(places.len(), 1);
}

/// A small file of each container, to be damaged.
static CONTAINERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let made = containers().into_iter().map(|(_, bytes)| bytes);
    made.chain([PARQUET, POSTGRES, SEVENZ, XZ].map(<[u8]>::to_vec)).collect()
});

// What other programs made: one row, `a;alice.martin@example.org`.
const PARQUET: &[u8] = include_bytes!("../../fixtures/dumps/row.parquet");
const POSTGRES: &[u8] = include_bytes!("../../fixtures/dumps/row.dump");
const SEVENZ: &[u8] = include_bytes!("../../fixtures/dumps/row.7z");
const XZ: &[u8] = include_bytes!("../../fixtures/dumps/row.xz");

#[test]
fn what_other_programs_made_is_opened() {
    for (name, bytes) in [("row.parquet", PARQUET), ("row.dump", POSTGRES), ("row.7z", SEVENZ), ("row.xz", XZ)] {
        let (places, summary) = find(name, bytes);
        assert!(!places.is_empty() && summary.not_scanned.is_empty(), "{name}: {places:?} {summary:?}");
    }
}

/// Texts that look like what is read out of texts.
const ROWS: &str = "([a-z]{0,3}|[,;\t\n\"'{}\\[\\]:()]|INSERT INTO t VALUES |\\\\|dn: |\r\n){0,120}";
const WRITTEN: &str = "(bm8gbW9yZSA|H4sIAAAA|no more |%6e%6f%20more|=\r\n|=6E|&#110;|\\\\u006e|[A-Za-z0-9+/]{0,80}|\n|\n |==|[ -~]{0,9}){0,60}";

proptest! {
    #[test]
    fn any_bytes_are_a_file(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
        bodies::containers(&bytes);
        bodies::tables(&bytes);
        bodies::escapes(&bytes);
    }

    #[test]
    fn any_rows_are_cut_alike(cut in any::<u8>(), text in ROWS) {
        bodies::tables(&[&[cut], text.as_bytes()].concat());
    }

    #[test]
    fn what_is_written_otherwise_is_read_alike(cut in any::<u8>(), text in WRITTEN) {
        bodies::escapes(&[&[cut], text.as_bytes()].concat());
    }

    #[test]
    fn damaged_containers_are_read(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = which.get(&CONTAINERS).clone();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bodies::containers(&bytes);
    }
}
