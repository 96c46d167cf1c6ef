//! A stretch of a plain text, read by itself: so that several threads, processes or machines share one large file. Only
//! texts that are plain from their beginning are cut into parts; what is coded in them belongs to the part where it begins.

use crate::dumps::{
    Counted, Limits, NotScanned, Piece, account::Account, coded, encoding, formats, pieces::Plain, walk::Walk,
};
use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt,
};

/// How much text before and behind a part has to be read with it: no marker, and no second marker near a weak one, is
/// farther from what it belongs to.
pub const AROUND: u64 = 4_096;

/// What is known of a part once it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartRead {
    /// Bytes read, with those around the part.
    pub bytes: u64,
    /// Line ends within the part itself.
    pub lines: u64,
    /// What of that which is coded in it was not read.
    pub not_scanned: Vec<NotScanned>,
}

/// Whether a file that begins so may be cut into parts.
pub fn is_plain(head: &[u8]) -> bool {
    formats::of(head).is_none() && encoding::stands(head)
}

/// The parts, of about this length, of a file of this length.
pub fn split(length: u64, part: u64) -> impl Iterator<Item = Range<u64>> {
    let part = part.max(AROUND);
    (0..length.div_ceil(part).max(1)).map(move |number| number * part..((number + 1) * part).min(length))
}

/// What has to be read for this part; more where a container in base64 begins in it that goes on: see `needed`.
pub fn around(part: &Range<u64>) -> Range<u64> {
    part.start.saturating_sub(AROUND)..part.end.saturating_add(AROUND)
}

/// Whether a container in base64 begins in `own` of this text that goes on behind it.
pub fn goes_on(text: &[u8], own: Range<usize>) -> bool {
    coded::goes_on(text, own)
}

/// What of this file has to be read for this part.
///
/// # Errors
/// The file's own.
pub fn needed(file: &File, part: &Range<u64>) -> io::Result<Range<u64>> {
    let (mut read, length) = (around(part), file.metadata()?.len());
    let mut step = 1 << 20;
    let mut text = Vec::new();
    loop {
        let end = read.end.min(length);
        let look = |from: u64, text: &mut Vec<u8>| {
            text.resize(end.saturating_sub(from) as usize, 0);
            file.read_exact_at(text, from)
        };
        look(end.saturating_sub(AROUND), &mut text)?;
        if end == length || !coded::ends_in_run(&text) {
            return Ok(read);
        }
        let base = end.saturating_sub(coded::LONGEST as u64 + AROUND).max(read.start);
        look(base, &mut text)?;
        let own = part.start.saturating_sub(base) as usize..part.end.min(end).saturating_sub(base) as usize;
        if !coded::goes_on(&text, own) {
            return Ok(read);
        }
        read.end += step;
        step *= 2;
    }
}

/// Shows the text of a source whose first byte stands at `base`. Lines are counted from the one in which the part
/// begins; those before it wrap around. Of the source no more is read than is needed.
///
/// # Errors
/// The source's own; what came before is shown.
pub fn read_part(
    name: &str,
    source: &mut dyn Read,
    base: u64,
    part: &Range<u64>,
    limits: &Limits,
    visit: &mut dyn FnMut(&Piece<'_>),
) -> io::Result<PartRead> {
    let account = Account::open(limits);
    account.add_packed(part.end.saturating_sub(part.start).min(1 << 40));
    let mut walk = Walk::new(name, &account, visit);
    let mut counted = Counted { source, account: None, bytes: 0 };
    let lines = walk.cut(None, &mut Plain(&mut counted), base, part, true)?;
    let end = base + counted.bytes;
    // A part without an end goes as far as there is text.
    if end < part.end && part.end < u64::MAX {
        walk.note(
            None,
            format!("it ends at byte {end}, and its part at {}: it became shorter, or was cut off", part.end),
        );
    }
    Ok(PartRead { bytes: counted.bytes, lines, not_scanned: walk.finish().not_scanned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use std::io::Write;

    fn line_ends(text: &[u8]) -> u64 {
        memchr::memchr_iter(b'\n', text).count() as u64
    }

    #[test]
    fn parts_cover_a_file_once() {
        for (length, part) in [(0, 5_000), (1, 5_000), (9_999, 5_000), (10_000, 5_000), (50_000, 1)] {
            let parts: Vec<_> = split(length, part).collect();
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, length));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn every_byte_is_shown_once_at_its_place_and_line() {
        let text: Vec<u8> = (0..3_000_000u32).map(|n| if n % 97 == 0 { b'\n' } else { b'a' + (n % 7) as u8 }).collect();
        for part in [0..3_000_000, 1_000_003..2_999_999, 5_000..9_000] {
            let read = around(&part);
            let (base, end) = (read.start as usize, (read.end as usize).min(text.len()));
            let mut shown = base;
            let told = read_part("x", &mut &text[base..], read.start, &part, &Limits::default(), &mut |piece| {
                if piece.coded.is_some() {
                    return;
                }
                let at = piece.base_offset as usize;
                assert_eq!(piece.text, &text[at..at + piece.text.len()]);
                assert_eq!(at + piece.report.start, shown, "no gap, and nothing twice");
                assert!(at + piece.text.len() == end || piece.text.len() >= piece.report.end + AROUND as usize);
                shown = at + piece.report.end;
                let before = |range: Range<usize>| line_ends(&text[range]);
                let start = part.start as usize;
                let line = if at >= start { 1 + before(start..at) } else { 1_u64.wrapping_sub(before(at..start)) };
                assert_eq!(piece.first_line, line);
            });
            assert_eq!(shown, end);
            let lines = line_ends(&text[part.start as usize..part.end as usize]);
            let told = told.expect("a slice does not fail");
            assert_eq!((told.lines, told.not_scanned.len()), (lines, 0));
            assert!(told.bytes >= (end - base) as u64);
        }
    }

    #[test]
    fn a_part_that_is_not_all_there_is_not_called_scanned() {
        let text = b"a line of text\n".repeat(1_000);
        let left = |base: usize, text: &[u8], part: Range<u64>| {
            let read = read_part("x", &mut &text[..], base as u64, &part, &Limits::default(), &mut |_| ());
            read.expect("a slice does not fail").not_scanned.len()
        };
        assert_eq!(
            [left(0, &text, 0..15_000), left(0, &text, 0..u64::MAX), left(6_000, &text[6_000..], 8_000..15_000)],
            [0; 3]
        );
        assert_eq!(
            [left(0, &text, 0..15_001), left(6_000, &text[6_000..9_000], 8_000..9_001), left(9_000, b"", 9_000..9_001)],
            [1; 3]
        );
    }

    #[test]
    fn a_coded_container_that_goes_on_is_read_with_its_part() {
        let mut noise = vec![0; 3 << 20];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let packed = BASE64.encode(&[&[0x1f, 0x8b, 8][..], &noise].concat());
        let text = format!("{}{packed}\n{}", "a line of text\n".repeat(1_000), "and another\n".repeat(100_000));
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("there is room");
        let needed = |part: Range<u64>| needed(&file, &part).expect("it can be read").end;
        let behind = 15_000 + packed.len() as u64;
        assert!(needed(14_000..20_000) >= behind);
        assert_eq!(needed(16_000..20_000), 24_096, "it begins before");
        assert_eq!(needed(1_000..8_000), 12_096);
        assert_eq!(needed(1 << 21..5 << 20), (5 << 20) + AROUND, "beyond the file's end");
    }
}
