//! Hostile files: bombs, damage, random bytes. Always an answer, never a clean one for what was not read.

use super::{
    MARKER, find, find_within, gzip,
    table::containers::{containers, zip},
};
use proptest::prelude::*;
use std::{sync::LazyLock, time::Duration};
use telltale::dumps::{Limits, read};

/// Small limits, as a bomb would meet them.
fn tight() -> Limits {
    Limits {
        depth: 2,
        entries: 5,
        ratio: 10,
        member_bytes: 2 << 20,
        total_bytes: 4 << 20,
        held_bytes: 4 << 20,
        memory_bytes: 224 << 20,
        silence: Duration::from_secs(30),
        program: None,
        time: Duration::from_secs(20),
        time_per_mib: Duration::ZERO,
    }
}

/// Reads any bytes and holds the limits against what was shown.
fn reads_within_limits(bytes: &[u8], limits: &Limits) -> u64 {
    let mut shown = 0;
    read("any", &mut &bytes[..], limits, &mut |piece| {
        assert!(piece.report.end <= piece.text.len() && piece.report.start <= piece.report.end);
        shown += piece.report.len() as u64;
    })
    .expect("a slice does not fail");
    // Packed bytes may be shown too, and a PDF's or document's text beside what it was drawn from.
    assert!(shown <= 3 * (limits.total_bytes + bytes.len() as u64), "{shown} bytes shown");
    shown
}

#[test]
fn a_bomb_is_cut_short_and_named() {
    let zeros = vec![b'0'; 20 << 20];
    for (name, bomb) in
        [("bomb.gz", gzip(&zeros)), ("bomb.zip", zip(&[("a", &zeros)])), ("bomb2.gz", gzip(&gzip(&zeros)))]
    {
        assert!(reads_within_limits(&bomb, &tight()) < 6 << 20, "{name}");
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

proptest! {
    #[test]
    fn random_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
        reads_within_limits(&bytes, &tight());
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
        reads_within_limits(&bytes, &tight());
    }
}
