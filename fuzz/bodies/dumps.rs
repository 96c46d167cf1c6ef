//! What is fuzzed of `dumps`: each takes any bytes and panics where something does not hold. The first bytes say how the
//! rest is cut.

use std::time::Duration;
use telltale::dumps::{
    Limits,
    part::{AROUND, read_part, split},
    read,
    tables::Tables,
};

/// Small limits, so that a bomb is one soon; everything is read in this process.
pub fn tight() -> Limits {
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

/// Any file is read, within the limits.
pub fn containers(bytes: &[u8]) {
    shown(bytes, &tight());
}

/// How much is shown of any file, within these limits.
pub fn shown(bytes: &[u8], limits: &Limits) -> u64 {
    let mut shown = 0;
    read("any", &mut &bytes[..], limits, &mut |piece| {
        assert!(piece.report.end <= piece.text.len() && piece.report.start <= piece.report.end);
        // What was decoded stands where its letters do, and may be shown by each way to read it.
        shown += if piece.coded.is_some() { 0 } else { piece.report.len() as u64 };
    })
    .expect("a slice does not fail");
    // Packed bytes may be shown too, and a PDF's or document's text beside what it was drawn from.
    assert!(shown <= 3 * (limits.total_bytes + bytes.len() as u64), "{shown} bytes shown");
    shown
}

/// Rows do not depend on how a text is cut, and stand where they say.
pub fn tables(bytes: &[u8]) {
    let Some((cut, text)) = bytes.split_first() else { return };
    let rows = |length: usize| {
        let (mut tables, mut rows) = (Tables::default(), Vec::new());
        let mut keep = |row: &telltale::dumps::tables::Row<'_>| {
            let from = row.offset as usize;
            assert_eq!(&text[from..from + row.text.len()], row.text);
            for cell in row.cells() {
                assert!(cell.range.start <= cell.range.end && cell.range.end <= row.text.len());
            }
            rows.push((row.offset, row.text.len()));
        };
        text.chunks(length).for_each(|chunk| tables.see(chunk, &mut keep));
        let counted = tables.finish(&mut keep);
        (rows, counted)
    };
    assert_eq!(rows(text.len().max(1)), rows(usize::from(*cut) + 1));
}

/// What is coded or written otherwise stands within the text, and a text in parts shows it at the same places.
pub fn escapes(bytes: &[u8]) {
    let Some((cut, text)) = bytes.split_first() else { return };
    let mut text = text.to_vec();
    // Long enough to be cut.
    text.extend(std::iter::repeat_n(&b"no more than a line of words\n"[..], 400).flatten());
    text.extend_from_slice(&bytes[1..]);
    let part = AROUND + u64::from(*cut) * 16;
    let shown = |base: u64, own: std::ops::Range<u64>| {
        let mut words = Vec::new();
        let source = &text[base as usize..];
        read_part("any", &mut &source[..], base, &own, &tight(), &mut |piece| {
            if piece.member.is_some() {
                return;
            }
            for at in piece.report.clone() {
                let (offset, _) = piece.place(at as u64, 1);
                assert!(offset <= text.len() as u64);
                // A few letters on, so that the same text is told from others.
                let begins = piece.text[at..].get(..8);
                if let Some(word) = begins.filter(|word| own.contains(&offset) && word.starts_with(b"no more ")) {
                    words.push((offset, word.to_vec(), piece.coded.is_some()));
                }
            }
        })
        .expect("a slice does not fail");
        words
    };
    let mut whole = shown(0, 0..text.len() as u64);
    let mut parts = Vec::new();
    for own in split(text.len() as u64, part) {
        let base = own.start.saturating_sub(AROUND);
        parts.extend(shown(base, own));
    }
    whole.sort();
    whole.dedup();
    parts.sort();
    parts.dedup();
    assert_eq!(whole, parts);
}
