//! tar: its files, as they come. Links are names and nothing more: nothing is followed, nothing is written.

use crate::dumps::{
    account::Packed,
    formats::format::Format,
    stream::Stream,
    walk::{Walk, within},
};
use std::io;

pub(super) const FORMAT: Format = Format { name: "tar archive", begins, open: Some(open) };

/// The mark of ustar and GNU, or, for the oldest, a right sum over the header.
fn begins(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<512>() else { return false };
    if header[257..].starts_with(b"ustar") {
        return true;
    }
    let written = std::str::from_utf8(&header[148..156])
        .ok()
        .and_then(|text| u32::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok());
    let sum: u32 =
        header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    header[0] != 0 && written == Some(sum)
}

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    let mut archive = tar::Archive::new(stream.whole());
    // Of an archive appended to another, the second is read too.
    archive.set_ignore_zeros(true);
    let mut failed = true;
    if let Ok(entries) = archive.entries() {
        failed = false;
        for entry in entries {
            let Ok(entry) = entry else {
                failed = true;
                break;
            };
            let name = within(member, &String::from_utf8_lossy(&entry.path_bytes()));
            if !entry.header().entry_type().is_file() && !entry.header().entry_type().is_gnu_sparse() {
                continue;
            }
            if !walk.enter(&name) {
                walk.note(member, "what follows in this archive: not read");
                return Ok(());
            }
            if !walk.unpacked(&name, entry, Packed::Unknown, depth + 1) && walk.account.late() {
                walk.note(member, "what follows in this archive: not read");
                return Ok(());
            }
        }
    }
    if failed {
        walk.note(member, "damaged or cut off: read as far as possible");
    }
    Ok(())
}
