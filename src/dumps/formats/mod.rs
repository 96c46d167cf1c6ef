//! The formats that are told apart, and how each is followed: one file each, and one row in `ALL`.

mod bzip2;
mod closed;
pub(super) mod format;
mod gzip;
pub(super) mod office;
mod packed;
mod pdf;
mod sevenz;
mod tar;
mod xz;
mod zip;
mod zstd;

use crate::dumps::formats::format::Format;

/// Formats in the order in which they are asked.
pub(super) const ALL: &[&Format] = &[
    &gzip::FORMAT,
    &zstd::FORMAT,
    &xz::FORMAT,
    &xz::LZMA,
    &bzip2::FORMAT,
    &zip::FORMAT,
    &sevenz::FORMAT,
    &tar::FORMAT,
    &pdf::FORMAT,
];

/// The format of what begins so; none for a plain text, or a binary in which text stands plain.
pub(super) fn of(head: &[u8]) -> Option<&'static Format> {
    ALL.iter().copied().chain(closed::ALL.iter().copied()).find(|format| (format.begins)(head))
}

/// Whether what begins so is opened.
pub(super) fn opens(head: &[u8]) -> bool {
    of(head).is_some_and(|format| format.open.is_some())
}
