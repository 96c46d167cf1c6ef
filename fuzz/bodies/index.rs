//! What is fuzzed of the index and its scanners: each takes any bytes and panics where something does not hold.

use canaries::{
    index::{FingerprintKey, Found, Image, ImageBuilder, ImageKey, Index, Isa, Owner, Reach, scan, scan_fast_by},
    marker::{Marker, MarkerKind},
};
use std::sync::LazyLock;

/// One marker of each kind.
const MARKERS: [(MarkerKind, &str); 9] = [
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

static BOTH: LazyLock<(Index, Image<Vec<u8>>, Vec<u8>)> = LazyLock::new(|| {
    let mut index = Index::new(FingerprintKey::new([7; 32]));
    let key = ImageKey::new([9; 32]);
    let mut builder = ImageBuilder::new(key.clone(), [1; 16], 1);
    for (number, (kind, value)) in MARKERS.iter().enumerate() {
        let marker = Marker { kind: *kind, value: (*value).to_owned() };
        let owner = Owner::Ghost(number as u32);
        for (fingerprint, kind, digest) in index.key().all(&marker) {
            index.insert(fingerprint, owner, kind, digest);
        }
        builder.add(owner, &marker);
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes).expect("a vector takes all");
    let image = Image::open(bytes.clone(), &key).expect("it was just made");
    (index, image, bytes)
});

/// An index file in which some bytes are others, or that is cut, is refused or answers nothing that is not so.
pub fn index_open(bytes: &[u8]) {
    let key = ImageKey::new([9; 32]);
    let _ = Image::open(bytes.to_vec(), &key);
    let mut damaged = BOTH.2.clone();
    for (at, change) in bytes.chunks_exact(4).map(|four| (u32::from_le_bytes([four[0], four[1], four[2], 0]), four[3]))
    {
        let at = at as usize % damaged.len();
        damaged[at] ^= change;
    }
    let same = damaged == BOTH.2;
    if let Ok(image) = Image::open(damaged, &key) {
        scan_fast_by(Isa::best(), Reach::Everything, b"alice.martin@example.org 0639980012", &image, &mut |found| {
            assert!(found.offset < 40);
        });
        assert!(same || image.check_all().is_err(), "a damaged index is known as one");
    }
}

/// Markers among any bytes: both scanners show the same, whatever the instructions.
pub fn scanners(bytes: &[u8]) {
    let mut text = Vec::new();
    for part in bytes.chunks(7) {
        // Some bytes stand for a marker, whole or cut.
        let (kind, rest) = (part[0], &part[1..]);
        match MARKERS.get(usize::from(kind) % 16) {
            Some((_, value)) => text.extend_from_slice(&value.as_bytes()[..value.len() - usize::from(kind >> 4) % 3]),
            None => text.push(kind),
        }
        text.extend_from_slice(rest);
    }
    let (index, image, _) = &*BOTH;
    let mut expected: Vec<Found> = Vec::new();
    scan(&text, index, &mut |found| expected.push(found));
    for isa in Isa::all() {
        let mut found = Vec::new();
        scan_fast_by(isa, Reach::Everything, &text, image, &mut |one| found.push(one));
        assert_eq!(found, expected, "{isa:?}");
    }
}
