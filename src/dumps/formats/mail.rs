//! Mail: one message (EML) or many in a row (MBOX). Each is shown as it is, then what was coded in it: headers, texts,
//! attachments.

use crate::dumps::{
    account::Packed,
    formats::format::Format,
    stream::Stream,
    walk::{Walk, within},
};
use mail_parser::{Address, Encoding, HeaderValue, Message, MessageParser, MimeHeaders, PartType};
use std::io::{self, BufRead, BufReader, Read};

pub(super) const MESSAGE: Format = Format { name: "mail message", begins: begins_message, open: Some(open_message) };
pub(super) const MAILBOX: Format = Format { name: "mailbox", begins: begins_mailbox, open: Some(open_mailbox) };

/// Headers of which a message has some at its start.
const HEADERS: [&str; 14] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "received",
    "message-id",
    "return-path",
    "mime-version",
    "delivered-to",
    "content-type",
    "dkim-signature",
    "reply-to",
    "sender",
];

fn begins_message(head: &[u8]) -> bool {
    let head = &head[..head.len().min(8 << 10)];
    let (mut known, mut seen) = (0, 0);
    for line in head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        if line.is_empty() || known >= 3 {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let name = &line[..colon];
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
            break;
        }
        seen += 1;
        known += u32::from(HEADERS.iter().any(|header| header.as_bytes().eq_ignore_ascii_case(name)));
    }
    known >= 3 || known >= 2 && known == seen
}

fn begins_mailbox(head: &[u8]) -> bool {
    let Some(end) = head.iter().position(|byte| *byte == b'\n') else { return false };
    is_border(&head[..end]) && begins_message(&head[end + 1..])
}

/// `From alice@example.org Mon Jan  1 10:00:00 2026`
fn is_border(line: &[u8]) -> bool {
    line.starts_with(b"From ")
        && line.len() < 500
        && line.windows(3).any(|at| at[0].is_ascii_digit() && at[1] == b':' && at[2].is_ascii_digit())
}

fn open_message(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    match stream.bytes(walk.limits().held_bytes / 4)? {
        Ok(bytes) => message(walk, member, depth, &bytes),
        Err(mut whole) => {
            walk.note(member, "a message larger than allowed: what is coded in it was not read");
            walk.text(member, &[], &mut whole)
        }
    }
}

fn open_mailbox(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    let most = usize::try_from(walk.limits().held_bytes / 4).unwrap_or(usize::MAX);
    let mut source = BufReader::with_capacity(64 << 10, stream.whole());
    let (mut number, mut bytes, mut line, mut blank) = (0, Vec::new(), Vec::new(), true);
    loop {
        line.clear();
        let read = (&mut source).take(64 << 10).read_until(b'\n', &mut line)?;
        let border = blank && is_border(line.trim_ascii_end());
        if (border || read == 0 || bytes.len() + line.len() > most) && !bytes.is_empty() {
            number += 1;
            let name = within(member, &format!("message {number}"));
            if !walk.enter(&name) || walk.account.late() {
                walk.note(Some(&name), "this message and those after it are beyond the limits: not read");
                return Ok(());
            }
            if !border && read > 0 {
                walk.note(Some(&name), "a message larger than allowed: read in parts");
            }
            message(walk, Some(&name), depth, &bytes)?;
            bytes.clear();
        }
        if read == 0 {
            return Ok(());
        }
        blank = line == b"\n" || line == b"\r\n";
        if !border {
            bytes.extend_from_slice(&line);
        }
    }
}

/// Shows a message, and what is coded in it.
fn message(walk: &mut Walk<'_>, member: Option<&str>, depth: u32, bytes: &[u8]) -> io::Result<()> {
    walk.text_only(member, bytes)?;
    match MessageParser::default().parse(bytes) {
        Some(message) => parts(walk, member, depth, &message, 0),
        None => walk.note(member, "it cannot be read as a message: what is coded in it was not read"),
    }
    Ok(())
}

fn parts(walk: &mut Walk<'_>, member: Option<&str>, depth: u32, message: &Message<'_>, nested: u32) {
    let mut headers = Vec::new();
    for part in &message.parts {
        for header in &part.headers {
            words(&header.value, &mut headers);
        }
    }
    if memchr::memmem::find(message.raw_message(), b"=?").is_some() {
        walk.extracted(&within(member, "headers"), &headers);
    }
    for (number, part) in message.parts.iter().enumerate() {
        let name = part.attachment_name().map_or_else(|| format!("part {number}"), str::to_owned);
        let name = within(member, &name);
        let coded = part.encoding != Encoding::None;
        match &part.body {
            PartType::Text(text) | PartType::Html(text) if coded => walk.extracted(&name, text.as_bytes()),
            PartType::Text(_) | PartType::Html(_) | PartType::Multipart(_) => {}
            PartType::Binary(content) | PartType::InlineBinary(content) => {
                if !walk.enter(&name) {
                    return;
                }
                walk.unpacked(&name, content.as_ref(), Packed::Known(content.len() as u64), depth + 1);
            }
            PartType::Message(inner) if nested < 8 => parts(walk, Some(&name), depth, inner, nested + 1),
            PartType::Message(_) => walk.note(Some(&name), "messages within messages, deeper than allowed: not read"),
        }
    }
}

/// The decoded words of a header, a line each.
fn words(value: &HeaderValue<'_>, text: &mut Vec<u8>) {
    let mut line = |word: Option<&str>| {
        text.extend(word.unwrap_or_default().bytes());
        text.push(b'\n');
    };
    match value {
        HeaderValue::Text(word) => line(Some(word)),
        HeaderValue::TextList(words) => words.iter().for_each(|word| line(Some(word))),
        HeaderValue::Address(Address::List(list)) => list.iter().for_each(|one| {
            line(one.name.as_deref());
            line(one.address.as_deref());
        }),
        HeaderValue::Address(Address::Group(groups)) => {
            groups.iter().flat_map(|group| &group.addresses).for_each(|one| {
                line(one.name.as_deref());
                line(one.address.as_deref());
            })
        }
        HeaderValue::ContentType(kind) => {
            kind.attributes.iter().flatten().for_each(|attribute| line(Some(&attribute.value)));
        }
        HeaderValue::DateTime(_) | HeaderValue::Received(_) | HeaderValue::Empty => {}
    }
}
