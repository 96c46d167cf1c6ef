//! The formats that are told apart, and how each is followed: one file each, and one row in `ALL`.

mod bzip2;
mod closed;
pub(super) mod format;
mod gzip;
mod lz4;
mod mail;
pub(super) mod office;
mod packed;
mod parquet;
mod pdf;
mod postgres;
mod sevenz;
mod sqlite;
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
    &lz4::FORMAT,
    &lz4::LEGACY,
    &zip::FORMAT,
    &sevenz::FORMAT,
    &tar::FORMAT,
    &pdf::FORMAT,
    &sqlite::FORMAT,
    &postgres::FORMAT,
    &parquet::FORMAT,
    &mail::MAILBOX,
    &mail::MESSAGE,
];

/// The format of what begins so; none for a plain text, or a binary in which text stands plain.
pub(super) fn of(head: &[u8]) -> Option<&'static Format> {
    ALL.iter().copied().chain(closed::ALL.iter().copied()).find(|format| (format.begins)(head))
}

/// Whether what begins so is opened.
pub(super) fn opens(head: &[u8]) -> bool {
    of(head).is_some_and(|format| format.open.is_some())
}
