//! The text of a PDF: every stream, inflated where it says so, and the strings that its text operators show. Fonts
//! with an encoding of their own are not decoded, and are noted.

use crate::dumps::{
    account::{Guarded, Packed},
    formats::format::Format,
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

/// Shows the streams of a PDF whose plain bytes were shown already.
fn read(walk: &mut Walk<'_>, member: Option<&str>, bytes: &[u8]) {
    let mut at = 0;
    let mut number = 0;
    while let Some(found) = memmem::find(&bytes[at..], b"stream").map(|length| at + length) {
        at = found + 6;
        let start = at
            + usize::from(bytes[at..].starts_with(b"\r\n"))
            + usize::from(bytes[at..].starts_with(b"\r\n") || bytes[at..].starts_with(b"\n"));
        if bytes[..found].ends_with(b"end") || start == at {
            continue;
        }
        number += 1;
        let label = within(member, &format!("stream {number}"));
        if !walk.account.enter() || walk.account.late() {
            walk.note(member, "more streams in a PDF than the limits allow: read in part");
            return;
        }
        let end = memmem::find(&bytes[start..], b"endstream").map_or(bytes.len(), |length| start + length);
        let dictionary = &bytes[memmem::rfind(&bytes[..found], b"obj").map_or(0, |place| place + 3)..found];
        let has = |name: &[u8]| memmem::find(dictionary, name).is_some();
        at = end;
        if has(b"/Image") {
            walk.note(Some(&label), "a picture in a PDF: its text is not read");
        } else if has(b"/FlateDecode") || has(b"/Fl ") {
            inflate(walk, &label, &bytes[start..end]);
        } else if has(b"/Filter") {
            walk.note(Some(&label), "a PDF stream in a coding that this version does not open: not read");
        } else {
            show_text(walk, &label, &bytes[start..end]);
        }
    }
}

fn inflate(walk: &mut Walk<'_>, label: &str, packed: &[u8]) {
    let stopped = Cell::new(None);
    let mut content = Vec::new();
    let decoder = flate2::read::ZlibDecoder::new(packed);
    let guarded = Guarded::new(decoder, Packed::Known(packed.len() as u64), walk.account, &stopped);
    let damaged = guarded.take(walk.account.limits.held_bytes).read_to_end(&mut content).is_err();
    if !show_text(walk, label, &content) {
        walk.extracted(label, &content);
    }
    if damaged {
        walk.note(Some(label), "a damaged PDF stream: read as far as possible");
    }
    if let Some(why) = stopped.get() {
        walk.note(Some(label), why);
    }
}

/// Shows the strings of a content stream; false if it is none or has none.
fn show_text(walk: &mut Walk<'_>, label: &str, content: &[u8]) -> bool {
    let text = match memmem::find(content, b"Tj").or_else(|| memmem::find(content, b"TJ")) {
        Some(_) => shown_text(content),
        None => Vec::new(),
    };
    if !text.is_empty() {
        walk.extracted(&format!("{label}/text"), &text);
    }
    !text.is_empty()
}

/// The strings of a content stream: those of one `TJ` joined, each operator a line.
fn shown_text(content: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut at = 0;
    while at < content.len() {
        match content[at] {
            b'(' => at = literal(content, at + 1, &mut text),
            b'<' if content.get(at + 1) != Some(&b'<') => at = hexadecimal(content, at + 1, &mut text),
            b'T' if matches!(content.get(at + 1), Some(b'j' | b'J' | b'*' | b'd' | b'D')) => {
                text.push(b'\n');
                at += 2;
            }
            _ => at += 1,
        }
    }
    if text.iter().all(u8::is_ascii_whitespace) { Vec::new() } else { text }
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
        assert_eq!(shown_text(content), b"alice@ex\na(b)\n");
        assert_eq!(shown_text(b"0 0 m 1 1 l S"), b"");
    }
}
