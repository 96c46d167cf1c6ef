//! Formats whose content is not plain within the file, and that are not opened: they are named, so that nobody takes
//! them for clean.

use crate::dumps::formats::format::Format;

const fn closed(name: &'static str, begins: fn(&[u8]) -> bool) -> Format {
    Format { name, begins, open: None }
}

/// The formats that are only named.
pub(super) const ALL: &[&Format] = &[
    &closed("RAR archive", |head| head.starts_with(b"Rar!\x1a\x07")),
    &closed("encrypted Parquet file", |head| head.starts_with(b"PARE")),
    &closed("Outlook data file", |head| head.starts_with(b"!BDN")),
    &closed("old or encrypted Office file", |head| head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    &closed("compress stream", |head| head.starts_with(b"\x1f\x9d")),
    &closed("Avro file", |head| head.starts_with(b"Obj\x01")),
    &closed("ORC file", |head| head.starts_with(b"ORC\x11") || head.starts_with(b"ORC\n")),
    &closed("Snappy stream", |head| head.starts_with(b"\xff\x06\0\0sNaPpY")),
    &closed("cabinet archive", |head| head.starts_with(b"MSCF\0\0\0\0")),
    &closed("lzip stream", |head| head.starts_with(b"LZIP\x01")),
    &closed("KeePass database", |head| head.starts_with(b"\x03\xd9\xa2\x9a")),
    &closed("age-encrypted file", |head| head.starts_with(b"age-encryption.org/")),
    &closed("PGP message", |head| head.starts_with(b"-----BEGIN PGP MESSAGE-----")),
    &closed("OpenSSL-encrypted file", |head| head.starts_with(b"Salted__")),
];
