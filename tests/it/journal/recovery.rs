//! Opening what a crash has left.

use crate::{
    journal::records::{ORIGIN, acted, canary, copy, new_keyring, open, planned, sighted, told},
    support::layer::Layer,
};
use std::{fs, path::PathBuf, sync::Arc};
use telltale::journal::{
    frame::Frame,
    keyring::Keyring,
    log::{Journal, JournalError, NotDurable},
    master::MasterKey,
    recovery::Unsound,
    segment,
};

fn only_segment(data: &std::path::Path) -> PathBuf {
    segment::list(data).unwrap().remove(0).1
}

#[tokio::test]
async fn what_was_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    assert_eq!(journal.head(), 0);
    assert_eq!(journal.append(&acted("one")).await.unwrap(), 1);
    let range = journal.append_all(&[planned(canary(1), "payroll"), sighted(canary(1), "ZXZpZGVuY2U=")]).await.unwrap();
    assert_eq!(range, 2..4);
    assert_eq!(*journal.watch().borrow(), 3);
    let before = told(&journal);
    assert_eq!(before[2].1.as_ref().unwrap()["sighting"]["id"], 3, "a sighting's id is its entry's number");
    assert_eq!(journal.get(3).unwrap().unwrap().seq, 3);
    assert!(journal.get(4).unwrap().is_none() && journal.get(0).unwrap().is_none());
    assert!(
        matches!(Journal::open(folder.path(), keyring.clone(), ORIGIN), Err(JournalError::Lock(_))),
        "one process at a time"
    );
    journal.close().await;
    assert_eq!(journal.append(&acted("late")).await, Err(NotDurable::Closed));
    let again = open(folder.path(), &keyring);
    assert_eq!(told(&again), before);
    assert_eq!(again.append(&acted("four")).await.unwrap(), 4);
}

#[tokio::test]
async fn nothing_secret_stands_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    journal.append_all(&[planned(canary(1), "payroll"), sighted(canary(1), "c2VjcmV0")]).await.unwrap();
    journal.count("portal", Some("198.51.100.77".parse().unwrap()), 600).await.unwrap();
    journal.close().await;
    for file in fs::read_dir(segment::folder(folder.path())).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in ["secret.marker", "courriel", "192.0.2.7", "198.51.100.77", "payroll", "c2VjcmV0"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in the clear");
        }
    }
}

#[tokio::test]
async fn a_torn_end_is_cut_at_every_byte_of_the_last_three_frames() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    for number in 0..6 {
        journal.append(&acted(format!("entry {number}"))).await.unwrap();
    }
    let before = told(&journal);
    let crashed = tempfile::tempdir().unwrap();
    copy(folder.path(), crashed.path());
    // As killed before the first checkpoint: afterwards a shorter journal would be damage.
    let _ = fs::remove_file(segment::folder(crashed.path()).join("checkpoint"));
    let path = only_segment(crashed.path());
    let bytes = fs::read(&path).unwrap();
    let ends = borders(&bytes);
    assert_eq!(ends.len(), 7);
    for length in ends[3]..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        let journal = open(crashed.path(), &keyring);
        assert_eq!(told(&journal), before[..whole], "cut at {length}");
        assert_eq!(journal.append(&acted("goes on")).await.unwrap(), whole as u64 + 1);
        drop(journal);
        fs::remove_file(segment::folder(crashed.path()).join("checkpoint")).unwrap();
    }
}

/// Where the frames of a segment begin, and where the last one ends.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![segment::HEADER];
    while ends[ends.len() - 1] < bytes.len() {
        let start = ends[ends.len() - 1];
        ends.push(start + Frame::read(&bytes[start..]).unwrap().1);
    }
    ends
}

#[tokio::test]
async fn what_was_appended_together_is_there_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    journal.append(&acted("alone")).await.unwrap();
    for append in 0..2 {
        let together: Vec<_> = (0..3).map(|number| acted(format!("{append}.{number}"))).collect();
        journal.append_all(&together).await.unwrap();
    }
    let before = told(&journal);
    let crashed = tempfile::tempdir().unwrap();
    copy(folder.path(), crashed.path());
    let checkpoint = segment::folder(crashed.path()).join("checkpoint");
    let _ = fs::remove_file(&checkpoint);
    let path = only_segment(crashed.path());
    let bytes = fs::read(&path).unwrap();
    let ends = borders(&bytes);
    for length in (ends[1]..bytes.len()).step_by(13).chain(ends[1..7].iter().copied()) {
        fs::write(&path, &bytes[..length]).unwrap();
        let whole = [7, 4, 1].into_iter().find(|whole| ends[*whole] <= length).unwrap();
        let journal = open(crashed.path(), &keyring);
        assert_eq!(told(&journal), before[..whole], "cut at {length}");
        assert_eq!(journal.append(&acted("goes on")).await.unwrap(), whole as u64 + 1);
        drop(journal);
        fs::remove_file(&checkpoint).unwrap();
    }

    // A checkpoint that vouches for the beginning of an append vouches for all of it.
    journal.close().await;
    copy(folder.path(), crashed.path());
    fs::write(&path, &bytes[..ends[6]]).unwrap();
    let error = Journal::open(crashed.path(), keyring.clone(), ORIGIN).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Unsound(Unsound::Damaged { seq: 5, .. })), "{error}");
}

#[tokio::test]
async fn damage_below_what_was_durable_is_not_taken_for_a_torn_end() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    for number in 0..4 {
        journal.append(&acted(format!("entry {number}"))).await.unwrap();
    }
    let crashed = tempfile::tempdir().unwrap();
    copy(folder.path(), crashed.path());
    let _ = fs::remove_file(segment::folder(crashed.path()).join("checkpoint"));
    let path = only_segment(crashed.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[segment::HEADER + 130] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Journal::open(crashed.path(), keyring.clone(), ORIGIN).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Unsound(Unsound::Damaged { seq: 1, .. })), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "and nothing is cut");

    // The checkpoint vouches for entries that are no longer there.
    journal.close().await;
    let path = only_segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = Journal::open(folder.path(), keyring, ORIGIN).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Unsound(Unsound::Damaged { .. })), "{error}");
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    journal.append(&acted("one")).await.unwrap();
    journal.close().await;
    let path = only_segment(folder.path());
    let original = fs::read(&path).unwrap();
    // The segment's header, then the frame's: version up by one, checksum mended.
    let mut header = original.clone();
    header[8] += 1;
    let crc = crc32fast::hash(&header[..60]);
    header[60..64].copy_from_slice(&crc.to_le_bytes());
    let mut frame = original.clone();
    let start = segment::HEADER;
    frame[start + 4] += 1;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[start..start + 12]);
    crc.update(&frame[start + 16..]);
    frame[start + 12..start + 16].copy_from_slice(&crc.finalize().to_le_bytes());
    for newer in [header, frame] {
        fs::write(&path, &newer).unwrap();
        let error = Journal::open(folder.path(), keyring.clone(), ORIGIN).map(|_| ()).unwrap_err();
        assert!(matches!(error, JournalError::Unsound(Unsound::Newer { version: 2, .. })), "{error}");
        assert!(error.to_string().contains("newer telltale"));
        assert_eq!(fs::read(&path).unwrap(), newer);
    }
    fs::write(&path, &original).unwrap();
    open(folder.path(), &keyring);
}

#[tokio::test]
async fn segments_follow_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let small = || Journal::open_with(folder.path(), keyring.clone(), ORIGIN, 64 << 10).unwrap();
    let journal = small();
    for _ in 0..9 {
        journal.append(&acted("x".repeat(8500))).await.unwrap();
    }
    let before: Vec<_> = journal.read(1).map(|entry| entry.unwrap().leaf).collect();
    assert_eq!(segment::list(folder.path()).unwrap().len(), 2);
    journal.close().await;
    let again = small();
    assert_eq!(again.read(1).map(|entry| entry.unwrap().leaf).collect::<Vec<_>>(), before);
    assert_eq!(again.append(&acted("ten")).await.unwrap(), 10);
    // A crash right after a segment was begun leaves an empty one, or half a header.
    again.close().await;
    drop(again);
    let second = segment::list(folder.path()).unwrap().remove(1).1;
    fs::remove_file(segment::folder(folder.path()).join("checkpoint")).unwrap();
    for left in [0, 30, segment::HEADER as u64] {
        fs::File::options().write(true).open(&second).unwrap().set_len(left).unwrap();
        let journal = small();
        assert_eq!(journal.head(), 8);
        assert_eq!(journal.append(&acted("nine again")).await.unwrap(), 9);
        drop(journal);
        fs::remove_file(segment::folder(folder.path()).join("checkpoint")).unwrap();
    }
}

#[tokio::test]
async fn what_a_checkpoint_vouches_for_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::over(folder.path());
    let (data, master) = (folder.path().join("data"), MasterKey::generate());
    let keyring = Arc::new(Keyring::create_on(&data, &master, Arc::new(layer.clone())).unwrap());
    let journal = open(&data, &keyring);
    for number in 0..3 {
        journal.append(&acted(format!("entry {number}"))).await.unwrap();
    }
    journal.close().await;
    drop(journal);
    let written = layer.written();
    let journal = open(&data, &keyring);
    assert_eq!(layer.written(), written, "a full disk need not have room for it");
    drop(journal);
    fs::remove_file(segment::folder(&data).join("checkpoint")).unwrap();
    let written = layer.written();
    let _journal = open(&data, &keyring);
    assert!(layer.written() > written, "nothing says that the last entry reached the disk");
}
