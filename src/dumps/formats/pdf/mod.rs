//! The text of a PDF: every stream, inflated where it says so, and the strings that its text operators show. Fonts
//! with codes of their own are read by the maps that the PDF holds; what no map knows is noted.

mod fonts;

use crate::dumps::{
    account::{Guarded, Packed},
    formats::{format::Format, pdf::fonts::Map},
    stream::Stream,
    walk::{Walk, within},
};
use memchr::memmem;
use std::{
    cell::Cell,
    io::{self, Read},
};

pub(super) const FORMAT: Format = Format {
    name: "PDF",
    begins: |head| memmem::find(&head[..head.len().min(1_024)], b"%PDF-").is_some(),
    open: Some(open),
};

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let member = stream.member;
    let bytes = match stream.bytes(walk.limits().held_bytes)? {
        Ok(bytes) => bytes,
        Err(mut whole) => {
            walk.note(member, "larger than a PDF may be: only its plain bytes were searched");
            return walk.text(member, &[], &mut whole);
        }
    };
    walk.text(member, &bytes, &mut io::empty())?;
    if memmem::find(&bytes, b"/Encrypt").is_some() {
        walk.note(member, "encrypted PDF: only its plain bytes were searched");
    } else {
        read(walk, member, &bytes);
    }
    Ok(())
}

/// A stream of a PDF.
struct Part<'a> {
    number: usize,
    dictionary: &'a [u8],
    content: &'a [u8],
}

impl Part<'_> {
    fn has(&self, name: &[u8]) -> bool {
        memmem::find(self.dictionary, name).is_some()
    }

    fn is_packed(&self) -> bool {
        self.has(b"/FlateDecode") || self.has(b"/Fl ")
    }
}

/// The streams of a PDF, in the file's order.
fn parts(bytes: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let (mut at, mut number) = (0, 0);
    std::iter::from_fn(move || {
        while let Some(found) = memmem::find(&bytes[at..], b"stream").map(|length| at + length) {
            at = found + 6;
            let start = at
                + usize::from(bytes[at..].starts_with(b"\r\n"))
                + usize::from(bytes[at..].starts_with(b"\r\n") || bytes[at..].starts_with(b"\n"));
            if bytes[..found].ends_with(b"end") || start == at {
                continue;
            }
            number += 1;
            let end = memmem::find(&bytes[start..], b"endstream").map_or(bytes.len(), |length| start + length);
            at = end;
            // The dictionary stands just before; a far one would be another object's.
            let near = &bytes[found.saturating_sub(16 << 10)..found];
            let dictionary = &near[memmem::rfind(near, b"obj").map_or(0, |place| place + 3)..];
            return Some(Part { number, dictionary, content: &bytes[start..end] });
        }
        None
    })
}

/// Shows the streams of a PDF whose plain bytes were shown already.
fn read(walk: &mut Walk<'_>, member: Option<&str>, bytes: &[u8]) {
    let mut maps = Vec::new();
    for part in parts(bytes).filter(|part| !part.has(b"/Image") && (part.is_packed() || !part.has(b"/Filter"))) {
        let map =
            if part.is_packed() { Map::read(&inflate(walk, None, part.content)) } else { Map::read(part.content) };
        if let Some(map) = map.filter(|map| !maps.contains(map) && maps.len() < MOST_MAPS) {
            maps.push(map);
        }
        if walk.account.late() {
            break;
        }
    }
    for part in parts(bytes) {
        let label = within(member, &format!("stream {}", part.number));
        if !walk.account.enter() || walk.account.late() {
            walk.note(member, "more streams in a PDF than the limits allow: read in part");
            return;
        }
        if part.has(b"/Image") {
            walk.note(Some(&label), "a picture in a PDF: its text is not read");
        } else if part.is_packed() {
            let content = inflate(walk, Some(&label), part.content);
            if !show_text(walk, &label, &content, &maps) {
                walk.extracted(&label, &content);
            }
        } else if part.has(b"/Filter") {
            walk.note(Some(&label), "a PDF stream in a coding that this version does not open: not read");
        } else {
            show_text(walk, &label, part.content, &maps);
        }
    }
}

/// The fonts' maps that are kept.
const MOST_MAPS: usize = 64;

/// The content of a packed stream; what keeps it from being whole is noted, if it has a name.
fn inflate(walk: &mut Walk<'_>, label: Option<&str>, packed: &[u8]) -> Vec<u8> {
    let stopped = Cell::new(None);
    let mut content = Vec::new();
    let decoder = flate2::read::ZlibDecoder::new(packed);
    let guarded = Guarded::new(decoder, Packed::Known(packed.len() as u64), walk.account, &stopped);
    let damaged = guarded.take(walk.limits().held_bytes).read_to_end(&mut content).is_err();
    if damaged && label.is_some() {
        walk.note(label, "a damaged PDF stream: read as far as possible");
    }
    if let Some(why) = stopped.get().filter(|_| label.is_some()) {
        walk.note(label, why);
    }
    content
}

/// Shows the strings of a content stream; false if it is none or has none.
fn show_text(walk: &mut Walk<'_>, label: &str, content: &[u8], maps: &[Map]) -> bool {
    let shows = memmem::find(content, b"Tj").or_else(|| memmem::find(content, b"TJ")).is_some();
    // A font's own file holds these letters by chance.
    let begin = &content[..content.len().min(64)];
    let written = begin.iter().filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()).count();
    if !shows || written * 10 < begin.len() * 9 {
        return false;
    }
    let strings = shown_text(content);
    let (mut text, mut unread) = (Vec::new(), false);
    for string in &strings {
        let plain = string.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
        let mut read = plain;
        for map in maps {
            if let Some(letters) = map.decode(string) {
                text.extend_from_slice(letters.as_bytes());
                text.push(b'\n');
                read = true;
            }
        }
        if plain {
            text.extend_from_slice(string);
            text.push(b'\n');
        }
        unread |= !read;
    }
    if unread {
        walk.note(Some(label), "text in a PDF whose font does not say what its codes stand for: not read");
    }
    if !text.is_empty() {
        walk.extracted(&format!("{label}/text"), &text);
    }
    !strings.is_empty()
}

/// The strings of a content stream, those of one `TJ` joined.
fn shown_text(content: &[u8]) -> Vec<Vec<u8>> {
    let (mut strings, mut text, mut at) = (Vec::new(), Vec::new(), 0);
    while at < content.len() {
        match content[at] {
            b'(' => at = literal(content, at + 1, &mut text),
            b'<' if content.get(at + 1) != Some(&b'<') => at = hexadecimal(content, at + 1, &mut text),
            b'T' if matches!(content.get(at + 1), Some(b'j' | b'J' | b'*' | b'd' | b'D' | b'f')) => {
                if !text.iter().all(u8::is_ascii_whitespace) {
                    strings.push(std::mem::take(&mut text));
                }
                text.clear();
                at += 2;
            }
            _ => at += 1,
        }
    }
    if !text.iter().all(u8::is_ascii_whitespace) {
        strings.push(text);
    }
    strings
}

/// Reads `( … )` up to its balanced end.
fn literal(content: &[u8], mut at: usize, text: &mut Vec<u8>) -> usize {
    let mut open = 1;
    while let Some(&byte) = content.get(at) {
        at += 1;
        match byte {
            b'\\' => {
                let octal = content[at..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                if octal > 0 {
                    let value =
                        content[at..at + octal].iter().fold(0u32, |value, byte| value * 8 + u32::from(byte - b'0'));
                    text.push(value as u8);
                    at += octal;
                    continue;
                }
                match content.get(at) {
                    Some(b'n' | b'r') => text.push(b'\n'),
                    Some(b't') => text.push(b'\t'),
                    Some(b'\n') | None => {}
                    Some(other) => text.push(*other),
                }
                at += 1;
            }
            b'(' => {
                open += 1;
                text.push(byte);
            }
            b')' => {
                open -= 1;
                if open == 0 {
                    break;
                }
                text.push(byte);
            }
            _ => text.push(byte),
        }
    }
    at.min(content.len())
}

/// Reads `< … >`.
fn hexadecimal(content: &[u8], from: usize, text: &mut Vec<u8>) -> usize {
    let end = content[from..].iter().position(|byte| *byte == b'>').map_or(content.len(), |length| from + length);
    let digits: Vec<u32> = content[from..end].iter().filter_map(|byte| (*byte as char).to_digit(16)).collect();
    text.extend(digits.chunks(2).map(|pair| (pair[0] * 16 + pair.get(1).copied().unwrap_or(0)) as u8));
    end + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_one_operator_are_joined() {
        let content = br"BT /F1 9 Tf [(ali) -20 (ce\100) <6578>] TJ (a\(b\)) Tj ET";
        assert_eq!(shown_text(content), [&b"alice@ex"[..], b"a(b)"]);
        assert!(shown_text(b"0 0 m 1 1 l S").is_empty());
    }
}
