//! xz, one or more streams in a row, and its elder, `.lzma`. Dictionaries that need more memory than a reader has are
//! refused before they are allocated.

use crate::dumps::formats::{format::Format, packed};
use lzma_rust2::{LzmaReader, XzReader};
use std::io::{self, Read};

/// The most memory a dictionary may take, in KiB: what `xz -9` needs, and half as much again.
pub(super) const MEMORY_KIB: u32 = 96 << 10;

pub(super) const FORMAT: Format = Format {
    name: "xz stream",
    begins: |head| head.starts_with(b"\xfd7zXZ\0"),
    open: Some(|walk, stream| {
        packed::follow(walk, stream, &[(".txz", ".tar"), (".xz", "")], |source| {
            Box::new(XzReader::new_mem_limit(source, true, MEMORY_KIB))
        })
    }),
};

pub(super) const LZMA: Format = Format {
    name: "lzma stream",
    begins: |head| {
        // There is no signature: the usual properties, a dictionary of a power of two, and a length that is not absurd.
        let Some(header) = head.first_chunk::<13>() else { return false };
        let dictionary = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
        let length = u64::from_le_bytes([
            header[5], header[6], header[7], header[8], header[9], header[10], header[11], header[12],
        ]);
        header[0] == 0x5d
            && dictionary >= 1 << 12
            && dictionary.is_power_of_two()
            && (length == u64::MAX || length < 1 << 40)
    },
    open: Some(|walk, stream| {
        packed::follow(walk, stream, &[(".tlz", ".tar"), (".lzma", "")], |source| {
            match LzmaReader::new_mem_limit(source, MEMORY_KIB, None) {
                Ok(reader) => Box::new(reader),
                Err(error) => Box::new(Failed(Some(error))),
            }
        })
    }),
};

/// A source that could not be opened.
pub(super) struct Failed(pub Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
