//! What a file is, by its first bytes.

/// What can be told of a stream by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Gzip,
    Zip,
    Pdf,
    /// A format whose content is not plain within the file, and that is not opened yet.
    Closed(&'static str),
    /// Text, or a binary in which text stands plain.
    Text,
}

const CLOSED: [(&[u8], &str); 11] = [
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"\xfd7zXZ\0", "xz stream"),
    (b"\x28\xb5\x2f\xfd", "zstd stream"),
    (b"BZh", "bzip2 stream"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"PAR1", "Parquet file"),
    (b"PGDMP", "PostgreSQL custom dump"),
    (b"\x04\x22\x4d\x18", "LZ4 stream"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old or encrypted Office file"),
    (b"\x1f\x9d", "compress stream"),
    (b"Obj\x01", "Avro file"),
];

impl Signature {
    pub fn of(head: &[u8]) -> Signature {
        let pdf = memchr::memmem::find(&head[..head.len().min(1_024)], b"%PDF-").is_some();
        match head {
            [0x1f, 0x8b, 8, ..] => Signature::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Signature::Zip,
            _ if pdf => Signature::Pdf,
            _ => CLOSED
                .iter()
                .find(|(magic, _)| head.starts_with(magic))
                .map_or(Signature::Text, |(_, name)| Signature::Closed(name)),
        }
    }
}
