//! The text of an office document's XML: runs joined, paragraphs and rows as lines, cells apart, links too.

use crate::dumps::walk::Walk;
use quick_xml::{Reader, events::Event};
use std::io::{self, BufReader, Read};

/// How much text is gathered before it is shown.
const ENOUGH: usize = 8 << 20;

/// Reads one XML member. On malformed XML the text so far is shown, and the error answered.
pub(in crate::dumps) fn read(walk: &mut Walk<'_>, member: &str, source: &mut dyn Read) -> io::Result<()> {
    let mut bytes = Vec::new();
    source.take(walk.account.limits.held_bytes).read_to_end(&mut bytes)?;
    let mut more = [0];
    let whole = source.read(&mut more)? == 0;
    if !whole {
        walk.note(Some(member), "larger than a document's part may be: read in part");
    }
    let mut reader = Reader::from_reader(BufReader::new(bytes.as_slice()));
    reader.config_mut().check_end_names = false;
    let (mut text, mut buffer, mut rows) = (Vec::new(), Vec::new(), 0);
    let result = loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => break Ok(()),
            Ok(event) => append(&event, &mut rows, &mut text),
            Err(_) => break Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
        // Long parts are shown in lines, so that memory stays bounded and no marker is cut.
        if text.len() > ENOUGH && text.ends_with(b"\n") {
            walk.extracted(member, &text);
            text.clear();
        }
    };
    walk.extracted(member, &text);
    if result.is_err() {
        walk.text(Some(member), &bytes, &mut io::empty())?;
    }
    result
}

/// Appends what stands for text.
pub(super) fn append_text(event: &Event<'_>, text: &mut Vec<u8>) {
    match event {
        Event::Text(part) => text.extend_from_slice(part.as_bytes()),
        Event::CData(part) => text.extend_from_slice(part.as_bytes()),
        Event::GeneralRef(reference) => {
            let character = reference.resolve_char_ref().ok().flatten().map(String::from);
            let named = quick_xml::escape::resolve_predefined_entity(reference).map(str::to_owned);
            text.extend(character.or(named).unwrap_or_default().bytes());
        }
        _ => {}
    }
}

/// Appends an element's beginning or end, or text. Within a row of a table, paragraphs end no line.
fn append(event: &Event<'_>, rows: &mut u32, text: &mut Vec<u8>) {
    let apart = if *rows > 0 { b'\t' } else { b'\n' };
    match event {
        Event::Start(element) | Event::Empty(element) => {
            let begins = matches!(event, Event::Start(_));
            if begins && is_row(element.local_name().as_ref()) {
                *rows += 1;
            }
            for attribute in element.attributes().flatten() {
                let name = attribute.key.local_name();
                if matches!(name.as_ref(), "Target" | "href" | "value" | "string-value" | "instr" | "val") {
                    let value = attribute.value.as_ref();
                    text.push(apart);
                    text.extend(quick_xml::escape::unescape(value).map_or(value.into(), |value| value).bytes());
                    text.push(apart);
                }
            }
            if !begins && matches!(element.local_name().as_ref(), "br" | "tab" | "line-break") {
                text.push(apart);
            }
        }
        Event::End(element) => match element.local_name().as_ref() {
            row if is_row(row) => {
                *rows = rows.saturating_sub(1);
                text.push(b'\n');
            }
            "p" | "h" | "si" | "is" => text.push(if *rows > 0 { b' ' } else { b'\n' }),
            "r" | "t" | "span" | "a" | "hyperlink" => {}
            _ => text.push(b'\t'),
        },
        _ => append_text(event, text),
    }
}

fn is_row(name: &str) -> bool {
    matches!(name, "row" | "table-row" | "tr")
}
