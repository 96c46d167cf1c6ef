//! An index file answers as it was built, and says what is wrong with it.

use super::{Image, ImageBuilder, ImageError, ImageKey, PAGE, Part};
use crate::{
    canary::CanaryId,
    index::{Counts, Owner, lookup::Lookup},
    marker::{Marker, MarkerKind},
};

fn marker(kind: MarkerKind, value: &str) -> Marker {
    Marker { kind, value: value.to_owned() }
}

fn built(ghosts: u32) -> (Vec<u8>, Counts, ImageKey) {
    let key = ImageKey::new([1; 32]);
    let mut builder = ImageBuilder::new(key.clone(), [2; 16], 3);
    for (canary, name) in [(1, "alice"), (2, "bruno")] {
        let owner = Owner::Canary(CanaryId([canary; 10]));
        builder.add(owner, &marker(MarkerKind::WorkEmail, &format!("{name}@example.org")));
        builder.add(owner, &marker(MarkerKind::Phone, "+33639980012"));
        builder.add(owner, &marker(MarkerKind::Username, "same"));
    }
    for number in 0..ghosts {
        builder.add(Owner::Ghost(number), &marker(MarkerKind::Username, &format!("ghost{number}")));
    }
    let mut bytes = Vec::new();
    let counts = builder.write(&mut bytes).expect("memory takes everything");
    (bytes, counts, key)
}

#[test]
fn it_answers_as_it_was_built_and_counts_what_it_holds() {
    let (bytes, counts, key) = built(5_000);
    let image = Image::open(&bytes, &key).expect("it was just built");
    assert_eq!(image.check_all(), Ok(()));
    assert_eq!((image.counts(), image.mint_version()), (&counts, 3));
    assert_eq!((counts.canaries, counts.ghosts, counts.shared, counts.digests), (2, 5_000, 1, 10));
    assert_eq!(counts.fingerprints, 2 + 10 + 1 + 5_000);
    let count = |wanted| counts.kinds.iter().find(|(kind, _)| *kind == wanted).map(|(_, count)| *count);
    assert_eq!((count(MarkerKind::Username), count(MarkerKind::Phone)), (Some(5_001), Some(0)));
    let owner = |kind, value: &str| image.get(image.key().plain(kind, value)).map(|entry| entry.owner);
    for number in 0..5_000 {
        assert_eq!(owner(MarkerKind::Username, &format!("ghost{number}")), Some(Owner::Ghost(number)));
    }
    assert_eq!(owner(MarkerKind::PersonalEmail, "bruno@example.org"), Some(Owner::Canary(CanaryId([2; 10]))));
    assert_eq!(owner(MarkerKind::Username, "same"), Some(Owner::Canary(CanaryId([1; 10]))), "the first keeps it");
    assert_eq!(owner(MarkerKind::Phone, "+33639980012"), None, "two bear it");
    assert!(image.is_shared(&image.key().plain(MarkerKind::Phone, "+33639980012")));
    assert_eq!(owner(MarkerKind::Username, "nobody"), None);
}

#[test]
fn an_empty_index_is_one_too() {
    let key = ImageKey::new([1; 32]);
    let mut bytes = Vec::new();
    ImageBuilder::new(key.clone(), [2; 16], 1).write(&mut bytes).expect("memory takes everything");
    let image = Image::open(bytes, &key).expect("it was just built");
    assert_eq!(image.check_all(), Ok(()));
    assert!(image.get(image.key().plain(MarkerKind::Username, "alice")).is_none());
}

#[test]
fn no_value_and_no_name_stands_in_it() {
    let (bytes, ..) = built(50);
    for value in [&b"alice"[..], b"example", b"3998", b"ghost", b"same"] {
        assert_eq!(memchr::memmem::find(&bytes, value), None);
    }
}

#[test]
fn a_wrong_key_another_version_and_a_cut_are_told_apart() {
    let (bytes, _, key) = built(500);
    let error = |bytes: &[u8], key: &ImageKey| Image::open(bytes.to_vec(), key).err();
    assert_eq!(error(&bytes, &ImageKey::new([9; 32])), Some(ImageError::WrongKey));
    let mut newer = bytes.clone();
    newer[8] = 3;
    assert_eq!(error(&newer, &key), Some(ImageError::Version(3)));
    assert_eq!(error(b"GIF89a and more", &key), Some(ImageError::Foreign));
    assert_eq!(error(b"", &key), Some(ImageError::Foreign));
    for length in [100, PAGE, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(error(&bytes[..length], &key), Some(ImageError::Length { .. })), "{length}");
    }
    let longer = [bytes.clone(), vec![0]].concat();
    assert!(matches!(error(&longer, &key), Some(ImageError::Length { .. })));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let (bytes, _, key) = built(500);
    for at in (0..bytes.len()).step_by(37) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let noticed = match Image::open(changed, &key) {
            Err(_) => true,
            Ok(image) => image.check_all().is_err(),
        };
        // The two bytes after the version stand under the header's MAC as well.
        assert!(noticed, "byte {at}");
    }
}

#[test]
fn a_damaged_page_of_the_table_is_noticed_when_it_is_read() {
    let (bytes, _, key) = built(5_000);
    let mut changed = bytes.clone();
    // The table is the last large section: its middle is in the middle of the file or behind it.
    let middle = bytes.len() / 2;
    changed[middle] ^= 1;
    let image = Image::open(changed, &key).expect("header, seals and sieves are whole");
    assert_eq!(image.sound(), Ok(()));
    for number in 0..5_000 {
        image.get(image.key().plain(MarkerKind::Username, &format!("ghost{number}")));
    }
    assert_eq!(image.sound(), Err(ImageError::Damaged(Part::Page(middle / PAGE - 1))));
}
