//! zip: by its directory, and where that is lost or absurd, member after member from the start. Office documents are
//! zip too: their parts are read as text. What its members are packed with is opened here, so that each is held to
//! the same limits.

use crate::dumps::{
    account::Packed,
    formats::{
        format::Format,
        office,
        xz::{Failed, MEMORY_KIB},
        zstd::Frames,
    },
    stream::{Held, Stream},
    walk::{Walk, within},
};
use lzma_rust2::{LzmaReader, XzReader};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use zip::{CompressionMethod, ZipArchive, read::ZipFile};

pub(super) const FORMAT: Format = Format {
    name: "zip archive",
    begins: |head| matches!(head, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..]),
    open: Some(open),
};

/// More members than this are read without the directory, which would have to be held in memory.
const MOST_LISTED: u64 = 200_000;

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    let mut held = match stream.held(walk.limits().held_bytes)? {
        Ok(held) => held,
        // Too large to be held, it is read as it comes.
        Err(mut whole) => {
            in_order(walk, member, depth, &mut whole);
            return Ok(());
        }
    };
    if listed(&mut held)? > MOST_LISTED {
        walk.note(member, "a zip archive with more members than its directory may have: read from its start");
        held.rewind()?;
        in_order(walk, member, depth, &mut held);
        return Ok(());
    }
    held.rewind()?;
    match ZipArchive::new(&mut held) {
        Ok(archive) => by_directory(walk, member, depth, archive),
        Err(_) => {
            walk.note(
                member,
                "a zip archive whose directory is lost or damaged: read from its start, as far as possible",
            );
            held.rewind()?;
            if in_order(walk, member, depth, &mut held) == 0 {
                walk.raw(member, &mut held)?;
            }
        }
    }
    Ok(())
}

/// How many members the directory says that there are, as the last kilobytes have it; counts by its length, too,
/// since the number is sixteen bits wide.
fn listed(held: &mut Held<'_>) -> io::Result<u64> {
    let length = held.seek(SeekFrom::End(0))?;
    held.seek(SeekFrom::Start(length.saturating_sub(66 << 10)))?;
    let mut tail = Vec::new();
    held.read_to_end(&mut tail)?;
    let Some(end) = memchr::memmem::rfind(&tail, b"PK\x05\x06").map(|at| &tail[at..]) else { return Ok(0) };
    let number = |from: usize, width: usize| {
        end.get(from..from + width)
            .map_or(0, |bytes| bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    };
    // A directory's entry has 46 bytes and a name.
    let by_length = number(12, 4);
    let by_length = if by_length == u64::from(u32::MAX) { length } else { by_length } / 47;
    Ok(number(10, 2).max(if number(10, 2) == 0xffff || number(12, 4) == u64::from(u32::MAX) { by_length } else { 0 }))
}

fn by_directory(walk: &mut Walk<'_>, member: Option<&str>, depth: u32, mut archive: ZipArchive<&mut Held<'_>>) {
    if office::is(&archive) {
        if !office::read(walk, member, depth, &mut archive) {
            walk.note(member, "the document has more parts than the limits allow: read in part");
        }
        return;
    }
    for number in 0..archive.len() {
        let entry = match archive.by_index_raw(number) {
            Ok(entry) => entry,
            Err(_) => {
                walk.note(member, format!("member {number} is damaged: not read"));
                continue;
            }
        };
        if !one(walk, member, depth, number, entry) {
            walk.note(member, format!("{} members beyond the limits: not read", archive.len() - number));
            break;
        }
    }
}

/// Reads members from the start of the archive, without its directory, and answers how many there were.
fn in_order(walk: &mut Walk<'_>, member: Option<&str>, depth: u32, source: &mut dyn Read) -> usize {
    let mut source = BufReader::new(source);
    let mut number = 0;
    loop {
        match zip::read::read_zipfile_from_stream(&mut source) {
            Ok(Some(entry)) => {
                let name = name(member, number, &entry);
                number += 1;
                if !walk.account.enter() || walk.account.late() {
                    walk.note(member, "the members that follow are beyond the limits: not read");
                    return number;
                }
                let packed = entry.compressed_size();
                if !entry.is_dir() && !walk.unpacked(&name, entry, Packed::Known(packed), depth + 1) {
                    walk.note(member, "the members that follow: not read");
                    return number;
                }
            }
            Ok(None) => return number,
            Err(_) => {
                walk.note(
                    member,
                    format!("damaged, encrypted or cut off after {number} members: the rest was not read"),
                );
                return number;
            }
        }
    }
}

fn name(member: Option<&str>, number: usize, entry: &ZipFile<'_, impl Read>) -> String {
    within(member, &entry.name().map_or_else(|_| format!("member {number}"), |name| name.into_owned()))
}

/// Reads one member, still packed; false at the limits.
pub(super) fn one(
    walk: &mut Walk<'_>,
    member: Option<&str>,
    depth: u32,
    number: usize,
    entry: ZipFile<'_, impl Read>,
) -> bool {
    if !walk.account.enter() || walk.account.late() {
        return false;
    }
    let name = name(member, number, &entry);
    if entry.is_dir() {
        return true;
    }
    if entry.encrypted() || entry.compression() == CompressionMethod::AES {
        walk.note(Some(&name), "encrypted: not read");
        return true;
    }
    let (packed, size, method) = (entry.compressed_size(), entry.size(), entry.compression());
    let source = unpack(method, size, BufReader::new(entry));
    walk.unpacked(&name, source, Packed::Known(packed), depth + 1);
    true
}

/// Unpacks a member, by the way in which it says it is packed.
pub(super) fn unpack<'a>(
    method: CompressionMethod,
    size: u64,
    source: BufReader<impl Read + 'a>,
) -> Box<dyn Read + 'a> {
    match method {
        CompressionMethod::Stored => Box::new(source),
        CompressionMethod::Deflated => Box::new(flate2::bufread::DeflateDecoder::new(source)),
        CompressionMethod::DEFLATE64 => Box::new(deflate64::Deflate64Decoder::with_buffer(source)),
        CompressionMethod::BZIP2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        CompressionMethod::LZMA => lzma(source, size).unwrap_or_else(|error| Box::new(Failed(Some(error)))),
        CompressionMethod::ZSTD | CompressionMethod::ZSTD_DEPRECATED => Box::new(Frames::new(source)),
        CompressionMethod::XZ => Box::new(XzReader::new_mem_limit(source, true, MEMORY_KIB)),
        _ => Box::new(Failed(Some(io::ErrorKind::Unsupported.into()))),
    }
}

/// zip's LZMA has a header of its own: a version, and the length of the properties.
fn lzma<'a>(mut source: BufReader<impl Read + 'a>, size: u64) -> io::Result<Box<dyn Read + 'a>> {
    let mut header = [0; 9];
    source.read_exact(&mut header)?;
    let dictionary = u32::from_le_bytes([header[5], header[6], header[7], header[8]]);
    if dictionary / 1024 > MEMORY_KIB {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    Ok(Box::new(LzmaReader::new_with_props(source, size, header[4], dictionary, None)?))
}
