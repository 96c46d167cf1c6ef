//! The text of a mail as its reader would see it: transfer encodings and character sets undone, parts in order.

use mail_parser::{Message, MimeHeaders as _, PartType};

/// The most text that is taken from one mail.
pub const TEXT_LIMIT: usize = 1024 * 1024;
const DEPTH: usize = 4;

/// The text of a mail, of its attachments' names and of the mails in it; its raw bytes where it is no mail at all.
pub fn of(message: Option<&Message<'_>>, raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match message {
        Some(message) => collect(message, &mut text, DEPTH),
        None => text.extend_from_slice(raw),
    }
    text.truncate(TEXT_LIMIT);
    text
}

fn collect(message: &Message<'_>, text: &mut Vec<u8>, depth: usize) {
    let mut add = |bytes: &[u8]| {
        if text.len() < TEXT_LIMIT {
            text.extend_from_slice(bytes);
            text.push(b'\n');
        }
    };
    for (name, value) in message.headers_raw() {
        add(name.as_bytes());
        add(value.trim().as_bytes());
    }
    if let Some(subject) = message.subject() {
        add(subject.as_bytes());
    }
    let mut within = Vec::new();
    for part in &message.parts {
        if let Some(name) = part.attachment_name() {
            add(name.as_bytes());
        }
        match &part.body {
            PartType::Text(content) => add(content.as_bytes()),
            PartType::Html(content) => {
                add(content.as_bytes());
                add(mail_parser::decoders::html::html_to_text(content).as_bytes());
            }
            PartType::Message(message) => within.push(message),
            PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Multipart(_) => {}
        }
    }
    for message in within {
        if depth > 0 {
            collect(message, text, depth - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    fn decode_now(raw: &[u8]) -> Vec<u8> {
        of(MessageParser::default().parse(raw).as_ref(), raw)
    }

    #[test]
    fn encoded_parts_are_read() {
        let raw = b"Subject: =?utf-8?q?caf=C3=A9?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
            --x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nk=E9y=\r\none\r\n\
            --x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+a2V5PC9iPnR3bw==\r\n\
            --x\r\nContent-Type: application/pdf; name=key3.pdf\r\nContent-Disposition: attachment; filename=key3.pdf\r\n\r\n%PDF\r\n--x--\r\n";
        let text = String::from_utf8(decode_now(raw)).expect("UTF-8");
        for wanted in ["café", "kéyone", "keytwo", "key3.pdf"] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..400), head in prop::sample::select(vec![
            "", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", "Content-Transfer-Encoding: base64\r\n\r\n",
            "Content-Type: message/rfc822\r\n\r\n"])) {
            let raw = [head.as_bytes(), &bytes].concat();
            prop_assert!(decode_now(&raw).len() <= TEXT_LIMIT);
        }
    }
}
