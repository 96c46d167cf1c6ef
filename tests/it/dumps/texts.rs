//! Plain texts: encodings, borders of pieces, rows.

use super::{MARKER, find, members, rows};
use telltale::dumps::Limits;

#[test]
fn a_marker_survives_every_encoding() {
    let text = format!("name;mail\nAndré Benoît;bob@x.org\nZoé;{MARKER}\n");
    let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let latin: Vec<u8> = text.chars().map(|character| character as u32 as u8).collect();
    let files = [
        text.clone().into_bytes(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        [&b"\xff\xfe"[..], &wide(u16::to_le_bytes)].concat(),
        [&b"\xfe\xff"[..], &wide(u16::to_be_bytes)].concat(),
        latin,
    ];
    let offset = text.find(MARKER).expect("it stands there") as u64;
    for (number, file) in files.iter().enumerate() {
        let (places, summary) = find("leak.csv", file);
        // The mark of UTF-8 stays in the text that is shown as it is.
        assert_eq!(places.len(), 1, "file {number}");
        assert!(places[0].1.abs_diff(offset) <= 3 && places[0].2 == 3, "file {number}: {places:?}");
        assert_eq!(rows("leak.csv", file, &Limits::default()), Some(2), "file {number}");
        assert_eq!(summary.bytes, file.len() as u64);
        assert_eq!(summary.not_scanned, []);
    }
}

#[test]
fn a_marker_on_any_border_is_reported_once_at_its_place() {
    let lines = [1 << 20].as_slice();
    let overlaps = [1 << 20, (1 << 20) - (32 << 10), (1 << 20) - (64 << 10)].as_slice();
    for (filler, borders) in [(&b"x"[..], overlaps), (b"some words and a line\n", lines), (b"a=\r\n", lines)] {
        for shift in [-12i64, 0, 30] {
            for &border in borders {
                let place = (i64::from(border) + shift) as usize;
                let mut bytes: Vec<u8> = filler.iter().copied().cycle().take(place - 1).collect();
                bytes.push(b';');
                bytes.extend_from_slice(MARKER.as_bytes());
                bytes.push(b';');
                bytes.extend(filler.iter().copied().cycle().take(100 << 10));
                let line = bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
                let (places, _) = find("leak.txt", &bytes);
                assert_eq!(places, [(None, place as u64, line)], "at {place} in {filler:?}");
            }
        }
    }
}

#[test]
fn text_is_no_table() {
    let text = format!("Dear {MARKER},\nhello, and bye\nA.\n");
    let (places, _) = find("note.txt", text.as_bytes());
    assert_eq!(members(&places), [""]);
    assert_eq!(rows("note.txt", text.as_bytes(), &Limits::default()), None);
}
