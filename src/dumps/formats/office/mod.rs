//! Office documents: archives whose parts are XML. Their text is drawn out part by part.

mod sheet;
pub(in crate::dumps) mod xml;

use crate::dumps::{
    account::Packed,
    formats::{
        office::sheet::{Shared, Sheet},
        zip::{one, unpack},
    },
    stream::Held,
    walk::{Walk, within},
};
use std::io::BufReader;
use zip::ZipArchive;

/// The part of a workbook that holds the strings of its sheets.
const STRINGS: &str = "xl/sharedStrings.xml";
const SHEETS: &str = "xl/worksheets/sheet";

type Archive<'a, 'b> = ZipArchive<&'a mut Held<'b>>;

/// Whether an archive is an office document.
pub(super) fn is(archive: &Archive<'_, '_>) -> bool {
    archive.file_names().flatten().any(|name| matches!(name.as_ref(), "[Content_Types].xml" | "mimetype"))
}

/// Reads the parts of a document; false at the limits.
pub(super) fn read(walk: &mut Walk<'_>, member: Option<&str>, depth: u32, archive: &mut Archive<'_, '_>) -> bool {
    let mut shared = Shared::default();
    if let Some(number) = archive.index_for_name(STRINGS) {
        read_shared(walk, member, archive, number, &mut shared);
    }
    for number in 0..archive.len() {
        let Ok(entry) = archive.by_index_raw(number) else {
            walk.note(member, format!("part {number} is damaged: not read"));
            continue;
        };
        let part = entry.name().map(|name| name.into_owned()).unwrap_or_default();
        let xml = part.ends_with(".xml") || part.ends_with(".rels");
        if entry.encrypted() || !xml {
            if part.ends_with(".bin") {
                walk.note(
                    Some(&within(member, &part)),
                    "a binary part of a document: only its plain bytes were searched",
                );
            }
            if !one(walk, member, depth, number, entry) {
                return false;
            }
            continue;
        }
        if !walk.account.enter() || walk.account.late() {
            return false;
        }
        let name = within(member, &part);
        let (packed, size, method) = (Packed::Known(entry.compressed_size()), entry.size(), entry.compression());
        let source = unpack(method, size, BufReader::new(entry));
        if part.starts_with(SHEETS) {
            walk.guarded(&name, source, packed, |walk, guarded| {
                let mut sheet = Sheet::new(BufReader::with_capacity(64 << 10, guarded), &mut shared);
                walk.drawn(&name, |text| sheet.next(text));
                Ok(())
            });
        } else if part != STRINGS {
            walk.unpacked_xml(&name, source, packed);
        }
    }
    walk.extracted(&within(member, STRINGS), &shared.unused());
    true
}

/// Reads the strings that sheets share. Those that do not fit are shown as a text, apart from their rows.
fn read_shared(
    walk: &mut Walk<'_>,
    member: Option<&str>,
    archive: &mut Archive<'_, '_>,
    number: usize,
    shared: &mut Shared,
) {
    let name = within(member, STRINGS);
    let most = usize::try_from(walk.limits().held_bytes / 2).unwrap_or(usize::MAX);
    let Ok(entry) = archive.by_index_raw(number) else { return };
    let (packed, size, method) = (Packed::Known(entry.compressed_size()), entry.size(), entry.compression());
    let source = unpack(method, size, BufReader::new(entry));
    walk.guarded(&name, source, packed, |walk, guarded| {
        let mut source = BufReader::with_capacity(64 << 10, guarded);
        if !shared.read(&mut source, most)? {
            walk.note(Some(&name), "more shared strings than fit in memory: the rest was read apart from its rows");
            walk.text(Some(&name), &[], &mut source)?;
        }
        Ok(())
    });
}
