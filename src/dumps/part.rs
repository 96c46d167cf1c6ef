//! A stretch of a plain text, read by itself: so that several processes, or machines, share one large file. Nothing is
//! decoded and no container opened, which is why only texts that are plain from their beginning are cut into parts.

use crate::dumps::{Piece, encoding, formats};
use std::{
    io::{self, Read},
    ops::Range,
};

/// How much text before and behind a part has to be read with it: no marker, and no second marker near a weak one, is
/// farther from what it belongs to.
pub const AROUND: u64 = 4_096;

/// The length that pieces aim at.
const TARGET: usize = 1 << 20;

/// What is known of a part once it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartRead {
    /// Bytes read, with those around the part.
    pub bytes: u64,
    /// Line ends within the part itself.
    pub lines: u64,
}

/// Whether a file that begins so may be cut into parts.
pub fn is_plain(head: &[u8]) -> bool {
    formats::of(head).is_none() && encoding::detect(head).is_none()
}

/// The parts, of about this length, of a file of this length.
pub fn split(length: u64, part: u64) -> impl Iterator<Item = Range<u64>> {
    let part = part.max(AROUND);
    (0..length.div_ceil(part).max(1)).map(move |number| number * part..((number + 1) * part).min(length))
}

/// What has to be read for this part.
pub fn around(part: &Range<u64>) -> Range<u64> {
    part.start.saturating_sub(AROUND)..part.end.saturating_add(AROUND)
}

/// Shows the text of a source whose first byte stands at `base`. Lines are counted from the one in which the part
/// begins; those before it wrap around.
pub fn read_part(
    name: &str,
    source: &mut dyn Read,
    base: u64,
    part: &Range<u64>,
    visit: &mut dyn FnMut(&Piece<'_>),
) -> io::Result<PartRead> {
    let mut read = PartRead::default();
    let mut text: Vec<u8> = Vec::new();
    // Of the text's first byte; up to where was reported; the line of the text's first byte, once it is known.
    let (mut offset, mut from, mut line) = (base, 0, None);
    let mut chunk = vec![0; 256 << 10];
    loop {
        let count = match source.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        read.bytes += count as u64;
        text.extend_from_slice(&chunk[..count]);
        if count > 0 && text.len() < TARGET {
            continue;
        }
        let until = if count == 0 { text.len() } else { text.len() - AROUND as usize };
        let within = |place: u64| (place.clamp(offset, offset + text.len() as u64) - offset) as usize;
        let first_line = *line.get_or_insert_with(|| 1_u64.wrapping_sub(line_ends(&text[..within(part.start)])));
        visit(&Piece {
            path: name,
            member: None,
            text: &text,
            base_offset: offset,
            first_line,
            report: from..until,
            decoded: false,
        });
        let own = within(part.start).max(from)..within(part.end).min(until);
        read.lines += text.get(own).map_or(0, line_ends);
        if count == 0 {
            return Ok(read);
        }
        let dropped = until - AROUND as usize;
        line = Some(first_line.wrapping_add(line_ends(&text[..dropped])));
        offset += dropped as u64;
        from = until - dropped;
        text.drain(..dropped);
    }
}

fn line_ends(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let told = read_part("x", &mut &text[base..end], read.start, &part, &mut |piece| {
                let at = piece.base_offset as usize;
                assert_eq!(piece.text, &text[at..at + piece.text.len()]);
                assert_eq!(at + piece.report.start, shown, "no gap, and nothing twice");
                shown = at + piece.report.end;
                let before = |range: Range<usize>| line_ends(&text[range]);
                let start = part.start as usize;
                let line = if at >= start { 1 + before(start..at) } else { 1_u64.wrapping_sub(before(at..start)) };
                assert_eq!(piece.first_line, line);
            });
            assert_eq!(shown, end);
            let lines = line_ends(&text[part.start as usize..part.end as usize]);
            assert_eq!(told.unwrap(), PartRead { bytes: (end - base) as u64, lines });
        }
    }
}
