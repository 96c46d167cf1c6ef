//! Whatever is changed in the files afterwards is found.

use crate::journal::records::{acted, canary, new_keyring, open, sighted};
use proptest::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};
use telltale::journal::{
    checkpoint::Vkey,
    frame::Frame,
    segment,
    verify::{verify, verify_up_to},
};

struct Kept {
    folder: tempfile::TempDir,
    vkey: Vkey,
    segment: PathBuf,
    bytes: Vec<u8>,
}

fn kept(entries: u32) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let vkey = runtime.block_on(async {
        let journal = open(folder.path(), &keyring);
        for number in 0..entries {
            let record = if number % 2 == 0 { acted(format!("{number}")) } else { sighted(canary(number % 8), "eA==") };
            journal.append(&record).await.unwrap();
        }
        journal.close().await;
        journal.vkey().clone()
    });
    let segment = segment::list(folder.path()).unwrap().remove(0).1;
    let bytes = fs::read(&segment).unwrap();
    Kept { folder, vkey, segment, bytes }
}

fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = segment::HEADER;
    while start < bytes.len() {
        let end = start + Frame::read(&bytes[start..]).unwrap().1;
        found.push(start..end);
        start = end;
    }
    found
}

fn is_sound(data: &Path, vkey: &Vkey) -> bool {
    verify(data, vkey).is_sound()
}

#[test]
fn an_untouched_journal_is_sound() {
    let kept = kept(9);
    let report = verify(kept.folder.path(), &kept.vkey);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.vouched), (9, 9));
    assert_eq!(verify_up_to(kept.folder.path(), &kept.vkey, Some(9)).entries, 9);
    let other = telltale::journal::checkpoint::Signer::new(&kept.vkey.name, &[1; 32]);
    assert!(!is_sound(kept.folder.path(), other.vkey()));
}

/// Reliability test T25.
#[test]
fn any_flipped_byte_is_found() {
    let kept = kept(6);
    let files = [kept.segment.clone(), segment::folder(kept.folder.path()).join("checkpoint")];
    let originals = files.clone().map(|file| fs::read(file).unwrap());
    let length = originals[0].len() + originals[1].len();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..Default::default() });
    runner
        .run(&(0..length, 0u8..8), |(at, bit)| {
            let (which, at) = if at < originals[0].len() { (0, at) } else { (1, at - originals[0].len()) };
            let mut altered = originals[which].clone();
            altered[at] ^= 1 << bit;
            fs::write(&files[which], &altered).unwrap();
            let sound = is_sound(kept.folder.path(), &kept.vkey);
            fs::write(&files[which], &originals[which]).unwrap();
            prop_assert!(!sound, "bit {bit} of byte {at} of file {which}");
            Ok(())
        })
        .unwrap();
    assert!(is_sound(kept.folder.path(), &kept.vkey));
}

#[test]
fn any_dropped_added_moved_or_cut_bytes_are_found() {
    let kept = kept(8);
    let files = [kept.segment.clone(), segment::folder(kept.folder.path()).join("checkpoint")];
    let originals = files.clone().map(|file| fs::read(file).unwrap());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..Default::default() });
    runner
        .run(&(0..2usize, any::<[prop::sample::Index; 3]>(), 0..5u8), |(which, places, harm)| {
            let before = &originals[which];
            let mut cuts = places.map(|place| place.index(before.len() + 1));
            cuts.sort_unstable();
            let [one, two, three] = cuts;
            let after = match harm {
                0 => [&before[..one], &before[two..]].concat(),
                1 => [&before[..one], &before[one..two], &before[one..]].concat(),
                2 => before[..one].to_vec(),
                3 => [&before[..one], &before[two..three], &before[one..two], &before[three..]].concat(),
                _ => [&before[..one], &[0], &before[one..]].concat(),
            };
            if after == *before {
                return Ok(());
            }
            fs::write(&files[which], &after).unwrap();
            let sound = is_sound(kept.folder.path(), &kept.vkey);
            fs::write(&files[which], before).unwrap();
            prop_assert!(!sound, "harm {harm} at {cuts:?} of file {which}");
            Ok(())
        })
        .unwrap();
    assert!(is_sound(kept.folder.path(), &kept.vkey));
}

#[test]
fn dropped_reordered_repeated_and_cut_entries_are_found() {
    let kept = kept(6);
    let all = frames(&kept.bytes);
    let built = |order: &[usize]| {
        let mut bytes = kept.bytes[..segment::HEADER].to_vec();
        order.iter().for_each(|index| bytes.extend_from_slice(&kept.bytes[all[*index].clone()]));
        fs::write(&kept.segment, &bytes).unwrap();
        verify(kept.folder.path(), &kept.vkey)
    };
    assert!(built(&[0, 1, 2, 3, 4, 5]).is_sound());
    for order in [
        &[1, 2, 3, 4, 5][..],
        &[0, 1, 3, 4, 5],
        &[0, 1, 2, 3, 4],
        &[0, 2, 1, 3, 4, 5],
        &[0, 1, 2, 3, 5, 4],
        &[0, 0, 1, 2, 3, 4, 5],
        &[],
    ] {
        assert!(!built(order).is_sound(), "{order:?}");
    }
    for cut in 0..kept.bytes.len() {
        fs::write(&kept.segment, &kept.bytes[..cut]).unwrap();
        assert!(!is_sound(kept.folder.path(), &kept.vkey), "cut to {cut}");
    }
    fs::remove_file(&kept.segment).unwrap();
    assert!(!is_sound(kept.folder.path(), &kept.vkey));
    fs::write(&kept.segment, &kept.bytes).unwrap();
    fs::remove_file(segment::folder(kept.folder.path()).join("checkpoint")).unwrap();
    assert!(!is_sound(kept.folder.path(), &kept.vkey), "a missing checkpoint is said");
}

/// Somebody who can write the files can also mend checksums and chain. The checkpoint is what tells.
#[test]
fn a_rewritten_journal_is_found() {
    let (kept, other) = (kept(4), kept(4));
    fs::write(&kept.segment, &other.bytes).unwrap();
    let report = verify(kept.folder.path(), &kept.vkey);
    assert_eq!(report.entries, 4, "the chain itself is sound");
    assert!(!report.checkpoint_ok && !report.is_sound());
}
