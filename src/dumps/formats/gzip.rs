//! gzip, one or more streams in a row.

use crate::dumps::formats::{format::Format, packed};
use flate2::bufread::MultiGzDecoder;

pub(super) const FORMAT: Format = Format {
    name: "gzip stream",
    begins: |head| head.starts_with(&[0x1f, 0x8b, 8]),
    open: Some(|walk, stream| {
        packed::follow(walk, stream, &[(".tgz", ".tar"), (".gz", "")], |source| Box::new(MultiGzDecoder::new(source)))
    }),
};
