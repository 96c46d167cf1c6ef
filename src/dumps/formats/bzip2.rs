//! bzip2, one or more streams in a row.

use crate::dumps::formats::{format::Format, packed};
use bzip2::bufread::MultiBzDecoder;

pub(super) const FORMAT: Format = Format {
    name: "bzip2 stream",
    begins: |head| {
        matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..])
            || matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..])
    },
    open: Some(|walk, stream| {
        let endings = [(".tbz2", ".tar"), (".tbz", ".tar"), (".bz2", "")];
        packed::follow(walk, stream, &endings, |source| Box::new(MultiBzDecoder::new(source)))
    }),
};
