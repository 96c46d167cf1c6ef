//! Coded values: found where they stand, wherever the text is cut; ordinary text holds none.

use super::*;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use std::collections::BTreeSet;

fn piece(text: &[u8], base_offset: u64, first_line: u64, report: Range<usize>) -> Piece<'_> {
    Piece { path: "", member: None, text, base_offset, first_line, report, coded: None }
}

/// The containers that begin in `own`.
fn opened(text: &[u8], own: Range<usize>, base: u64, ended: bool) -> Vec<Container> {
    let begins = show(&piece(text, base, 1, 0..text.len()), &mut |_| ());
    containers(text, &begins, own, base, ended)
}

/// Where this word is found in what is coded, and on which line, in a text that is cut into pieces of this length.
fn places_of(word: &str, text: &[u8], length: usize, around: usize) -> BTreeSet<(usize, u64)> {
    let (mut places, mut from) = (BTreeSet::new(), 0);
    while from < text.len() {
        let until = (from + length).min(text.len());
        let base = from.saturating_sub(around);
        let shown = &text[base..(until + around).min(text.len())];
        show(
            &piece(shown, base as u64, 1 + line_ends(&text[..base]) as u64, from - base..until - base),
            &mut |found| {
                for at in memchr::memmem::find_iter(found.text, word) {
                    if found.report.contains(&at) {
                        let (offset, line) = found.place(at as u64, 1);
                        assert!(places.insert((offset as usize, line)), "shown twice");
                    }
                }
            },
        );
        from = until;
    }
    places
}

/// The same in one piece.
fn place_of(word: &str, text: &str) -> Vec<(usize, u64)> {
    places_of(word, text.as_bytes(), text.len(), 0).into_iter().collect()
}

#[test]
fn coded_values_are_shown_where_they_stand() {
    let value = BASE64.encode(b"alice@example.org");
    assert_eq!(place_of("alice", &format!("id;mail\n1;{value}\n")), [(10, 2)]);
    assert_eq!(place_of("example", &format!("id;mail\n1;{value}\n")), [(18, 2)]);
    assert_eq!(place_of("alice", &format!("Basic/{value}")), [(6, 1)]);
    let folded = BASE64.encode(("word ".repeat(30) + "alice@example.org").as_bytes());
    let ldif = format!("mail:: {}\n {}\n {}\nsn: x\n", &folded[..70], &folded[70..147], &folded[147..]);
    // The 151st byte's letter is the 201st, the 54th on the third line.
    assert_eq!(place_of("alice", &ldif), [(7 + 200 + 2 * 2, 3)]);
    let accents = BASE64URL_NOPAD.encode("é~~?>>> zoé@example.org".as_bytes());
    assert_eq!(place_of("zoé@", &accents).len(), 1);
    let slashes = BASE64.encode(b"??????>>>>>> alice@example.org ??????").replace('/', "\\/");
    assert!(slashes.contains("\\/") && place_of("alice", &format!("\"{slashes}\"")).len() == 1);
}

#[test]
fn a_text_that_is_cut_anywhere_shows_the_same() {
    let words: Vec<String> = (0..400).map(|number| format!("alice{number:05}@example.org {number} ")).collect();
    let flat = BASE64.encode(words.concat().as_bytes());
    for width in [0, 76, 77, 64] {
        let lines: Vec<&str> = match width {
            0 => vec![flat.as_str()],
            width => flat.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap_or("")).collect(),
        };
        let text = format!("x: y\nphoto:: {}\nmail: z\n", lines.join("\n "));
        let whole = places_of("alice", text.as_bytes(), text.len(), 0);
        assert_eq!(whole.len(), 400, "{width}");
        for length in [997, 1_000, 1_003, 4_096] {
            assert_eq!(places_of("alice", text.as_bytes(), length, 300), whole, "{width} {length}");
        }
    }
}

#[test]
fn words_paths_and_digests_are_not_coded() {
    let text = format!(
        "internationalization /usr/share/documentation/package 5f4dcc3b5aa765d61d8327deb882cf99 \
         A94A8FE5CCB19BA61C4C0873D391E987982FBBD3 some-long-hyphenated-word 550e8400-e29b-41d4-a716-446655440000 {}",
        "0123456789abcdef".repeat(40)
    );
    assert_eq!(place_of("", &text), []);
}

#[test]
fn containers_are_handed_on_whole_or_asked_more_of() {
    let packed = BASE64.encode(&[&[0x1f, 0x8b, 8][..], &[7; 300]].concat());
    let text = format!("a;b\n1;{packed}\n");
    let found = opened(text.as_bytes(), 0..text.len(), 100, true);
    assert_eq!((found.len(), found[0].offset, found[0].bytes.len(), found[0].whole), (1, 106, 303, true));
    assert!(opened(text.as_bytes(), 7..text.len(), 0, true).is_empty(), "it begins before");
    assert!(goes_on(text.as_bytes(), 0..text.len()), "who knows what the next line is");
    assert!(!goes_on(format!("{text}x;y\n").as_bytes(), 0..text.len()));
    let cut = &text.as_bytes()[..300];
    assert!(goes_on(cut, 0..250) && !goes_on(cut, 0..3) && !goes_on(cut, 7..250));
    assert!(!opened(cut, 0..250, 0, false)[0].whole);
    assert!(!goes_on(b"plain text, and no more", 0..10));
}

#[test]
fn a_folded_container_goes_on_where_a_line_begins_as_one_does() {
    // The header of a zip archive's second member, at the beginning of a line.
    let bytes = [b"PK\x03\x04", &[7; 2 * 57 - 4][..], b"PK\x03\x04", &[8; 57][..]].concat();
    let coded = BASE64.encode(&bytes);
    let lines: Vec<&str> = (0..coded.len()).step_by(76).map(|at| &coded[at..coded.len().min(at + 76)]).collect();
    let text = format!("x: {}\ny", lines.join("\r\n"));
    let found = opened(text.as_bytes(), 0..text.len(), 0, true);
    assert_eq!(found.iter().map(|found| found.bytes.clone()).collect::<Vec<_>>(), [bytes]);
    // A list of values has one on each line.
    let list = format!("{0}\n{0}\n", &coded[..76]);
    assert_eq!(opened(list.as_bytes(), 0..list.len(), 0, true).len(), 2);
}
