//! Whom a stored mail was from and for, by its headers: where a mail was taken in by another server, its envelope is
//! gone, and stands in what that server wrote above it. What the sender wrote (`To`) comes after that.

use crate::sensors::mail::{RECIPIENTS, envelope::Envelope};
use mail_parser::{Address, HeaderForm, HeaderName, HeaderValue, Message, MessageParser};

/// Headers in which servers write whom they delivered to.
const DELIVERED: &[&str] = &[
    "Delivered-To",
    "X-Original-To",
    "X-Delivered-To",
    "X-Envelope-To",
    "Envelope-To",
    "X-Original-Recipient",
    "X-Forwarded-To",
    "X-Gm-Original-To",
    "Apparently-To",
];
/// So many addresses are read first of the uppermost header of each of these names.
const UPPERMOST: usize = 10;
/// Headers in which senders write whom they write to.
const WRITTEN: &[&str] = &["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];

/// Sender and recipients by the headers; those of the delivery first, each once. Nobody where it is no mail.
pub async fn envelope(raw: Vec<u8>) -> Option<Envelope> {
    tokio::task::spawn_blocking(move || envelope_now(&raw)).await.ok()
}

fn envelope_now(raw: &[u8]) -> Envelope {
    let Some(message) = MessageParser::default().parse_headers(raw) else { return Envelope::default() };
    let mut recipients: Vec<String> = Vec::new();
    let mut add = |address: &str| {
        let address = address.trim().trim_start_matches('<').trim_end_matches('>');
        let known = recipients.iter().any(|known| known.eq_ignore_ascii_case(address));
        if recipients.len() < RECIPIENTS && !known && address.contains('@') && !address.contains(char::is_whitespace) {
            recipients.push(address.to_owned());
        }
    };
    // Servers write above what is there: the uppermost are the deliverer's own, whatever the sender has forged below. Of a
    // name that it does not write the uppermost may be forged too, so none may fill the list.
    for name in DELIVERED {
        let mut room = UPPERMOST;
        if let Some(value) = message.header_values(*name).next() {
            addresses(value, &mut |address| {
                if room > 0 {
                    room -= 1;
                    add(address);
                }
            });
        }
    }
    let received = message.header_values(HeaderName::Received).next().and_then(HeaderValue::as_received);
    if let Some(address) = received.and_then(|received| received.for_.as_ref()) {
        add(address);
    }
    for name in DELIVERED.iter().chain(WRITTEN) {
        for value in message.header_values(*name) {
            addresses(value, &mut add);
        }
    }
    Envelope { sender: sender(&message), recipients }
}

fn sender(message: &Message<'_>) -> Option<String> {
    // An empty reverse path is one: what bears it is never to be answered (RFC 5321, section 4.5.5).
    let path = message.header_as("Return-Path", HeaderForm::Raw);
    if path.first().and_then(HeaderValue::as_text).is_some_and(|path| path.trim() == "<>") {
        return Some(String::new());
    }
    let mut found = None;
    for name in ["Return-Path", "From"] {
        for value in message.header_values(name) {
            addresses(value, &mut |address| {
                let address = address.trim_matches(['<', '>', ' ']);
                if found.is_none() && address.contains('@') {
                    found = Some(address.to_owned());
                }
            });
        }
    }
    found
}

fn addresses(value: &HeaderValue<'_>, add: &mut impl FnMut(&str)) {
    match value {
        HeaderValue::Text(text) => text.split(',').for_each(add),
        HeaderValue::TextList(texts) => texts.iter().for_each(|text| add(text)),
        HeaderValue::Address(Address::List(list)) => {
            list.iter().filter_map(|one| one.address.as_deref()).for_each(add);
        }
        HeaderValue::Address(Address::Group(groups)) => {
            let all = groups.iter().flat_map(|group| &group.addresses);
            all.filter_map(|one| one.address.as_deref()).for_each(add);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_delivery_goes_before_what_the_sender_wrote() {
        let raw = b"Return-Path: <back@example.com>\r\nDelivered-To: alias@example.org\r\n\
            Received: from x (x [192.0.2.1]) by mx (Postfix) with ESMTP id 1 for <first@example.org>; Fri, 1 May 2026 10:00:00 +0000\r\n\
            X-Original-To: <Alias@example.org>\r\nFrom: \"A, B\" <from@example.com>\r\n\
            To: Someone <to@example.org>, group: one@example.org, two@example.org;\r\nCc: undisclosed-recipients:;\r\n\r\nTo: body@example.org\r\n";
        let read = envelope_now(raw);
        assert_eq!(read.sender.as_deref(), Some("back@example.com"));
        let wanted = ["alias@example.org", "first@example.org", "to@example.org", "one@example.org", "two@example.org"];
        assert_eq!(read.recipients, wanted);
        let bounce = envelope_now(b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.com\r\n\r\n");
        assert_eq!(bounce.sender.as_deref(), Some(""), "an empty reverse path is one");
    }

    #[test]
    fn what_the_deliverer_wrote_goes_before_what_was_forged_below() {
        let forged: Vec<String> = (0..1000).map(|number| format!("a{number}@example.org")).collect();
        let forged_lines: String = forged.iter().map(|address| format!("Delivered-To: {address}\r\n")).collect();
        let raw = format!(
            "X-Original-To: alias@example.org\r\n\
            Received: from x (x [192.0.2.1]) by mx (Postfix) with ESMTP id 1 for <real@example.org>; Fri, 1 May 2026 10:00:00 +0000\r\n\
            Received: from y (y [192.0.2.2]) by x (Postfix) with ESMTP id 2 for <forged@example.org>; Fri, 1 May 2026 09:00:00 +0000\r\n\
            {forged_lines}Envelope-To: {}\r\n\r\n",
            forged.join(", ")
        );
        let read = envelope_now(raw.as_bytes()).recipients;
        let told = |address: &str| read.iter().any(|known| known == address);
        assert!(told("alias@example.org") && told("real@example.org") && !told("forged@example.org"), "{read:?}");
    }

    #[test]
    fn there_is_an_end_to_recipients() {
        let many: Vec<String> = (0..1000).map(|number| format!("a{number}@example.org")).collect();
        let read =
            envelope_now(format!("Delivered-To: last@example.org\r\nTo: {}\r\n\r\n", many.join(", ")).as_bytes());
        assert_eq!((read.recipients.len(), read.recipients[0].as_str()), (RECIPIENTS, "last@example.org"));
        assert_eq!(envelope_now(b""), Envelope::default());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300), head in prop::sample::select(vec![
            "", "To: ", "Delivered-To: ", "Received: from ", "From: =?utf-8?q?", "Cc: a: b, <"])) {
            let read = envelope_now(&[head.as_bytes(), &bytes].concat());
            prop_assert!(read.recipients.len() <= RECIPIENTS);
        }
    }
}
