//! 7z: block by block, so that a damaged or encrypted one does not cost the others.

use crate::dumps::{
    account::Packed,
    formats::{format::Format, xz::MEMORY_KIB},
    stream::Stream,
    walk::{Walk, within},
};
use sevenz_rust2::{Archive, BlockDecoder, Error, Password};
use std::io;

const MEMORY: usize = MEMORY_KIB as usize;

pub(super) const FORMAT: Format =
    Format { name: "7z archive", begins: |head| head.starts_with(b"7z\xbc\xaf\x27\x1c"), open: Some(open) };

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    let mut held = match stream.held(walk.limits().held_bytes)? {
        Ok(held) => held,
        Err(mut whole) => {
            walk.note(member, "larger than a container within a container may be: only its packed bytes were searched");
            return walk.text(member, &[], &mut whole);
        }
    };
    let none = Password::empty();
    let archive = match Archive::read_with_memory_limit(&mut held, &none, MEMORY) {
        Ok(archive) => archive,
        Err(error) => {
            walk.note(member, format!("7z archive: {}", because(&error)));
            return walk.raw(member, &mut held);
        }
    };
    for block in 0..archive.blocks.len() {
        let decoder = BlockDecoder::new_with_memory_limit(1, MEMORY, block, &archive, &none, &mut held);
        let names: Vec<String> = decoder.entries().iter().map(|entry| within(member, entry.name())).collect();
        let mut read = 0;
        let result = decoder.for_each_entries(&mut |entry, source| {
            let name = within(member, entry.name());
            read += 1;
            if !entry.has_stream() {
                return Ok(true);
            }
            // To go on would unpack the rest of this one.
            Ok(walk.enter(&name) && walk.unpacked(&name, source, Packed::Unknown, depth + 1))
        });
        let why = match &result {
            Err(error) => because(error),
            Ok(_) => "not read, since the one before it in its block stopped",
        };
        if result.is_err() && read > 0 {
            walk.note(names.get(read - 1).map(String::as_str), format!("{why}: read as far as possible"));
        }
        for name in names.iter().skip(read) {
            walk.note(Some(name), why);
        }
    }
    Ok(())
}

fn because(error: &Error) -> &'static str {
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => "encrypted: not read",
        Error::UnsupportedCompressionMethod(method) if method.contains("AES") => "encrypted: not read",
        Error::UnsupportedCompressionMethod(_) | Error::Unsupported(_) | Error::ExternalUnsupported => {
            "packed in a way that this version does not open: not read"
        }
        Error::MaxMemLimited { .. } => "it needs more memory to unpack than allowed: not read",
        _ => "damaged or cut off",
    }
}
