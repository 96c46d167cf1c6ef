//! The way a mail came, by its `Received` headers: RFC 5321, section 4.4. Each station writes its own above those that are
//! there, so whoever stood before our own could write whatever he liked: a claim, not a fact.

use crate::{domain::mail::Hop, sensors::mail::private::Private};
use jiff::Timestamp;
use mail_parser::{Host, Message, Received};

/// So many stations are kept: mail servers give up between 50 and 100 (RFC 5321, section 6.3), and honest ways are short.
pub const STATIONS: usize = 20;
const LONGEST: usize = 120;

/// The stations that the mail tells of, the last first; and how many more there are.
pub fn stations(message: &Message<'_>, private: &Private) -> (Vec<Hop>, u64) {
    let mut all = message.received_all();
    let stations: Vec<Hop> = all.by_ref().take(STATIONS).map(|received| station(received, private)).collect();
    (stations, all.count() as u64)
}

fn station(received: &Received<'_>, private: &Private) -> Hop {
    let name = |host: &Host<'_>| match host {
        Host::Name(name) => webhooks::clean(&private.hide(name), LONGEST),
        Host::IpAddr(address) => address.to_string(),
    };
    let from = received.from.as_ref().or(received.helo.as_ref());
    let address = received.from_ip.or(match from {
        Some(Host::IpAddr(address)) => Some(*address),
        _ => None,
    });
    Hop {
        from: from.map(name),
        by: received.by.as_ref().map(name),
        address,
        // The year of a hostile header may be any.
        at: received
            .date
            .filter(|date| date.is_valid())
            .and_then(|date| Timestamp::from_second(date.to_timestamp()).ok()),
        own: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;

    #[test]
    fn stations_are_told_the_last_first_and_there_is_an_end() {
        let raw = "Received: from relay.example.com (relay.example.com [192.0.2.7]) by mx.example.org (Postfix) with ESMTP id 1 for <a@example.org>; Fri, 1 May 2026 10:00:00 +0200\r\n\
            Received: from [198.51.100.9] by relay.example.com with HTTP; Fri, 1 May 2026 09:59:58 +0200\r\n\
            Received: nonsense\r\nSubject: x\r\n\r\n";
        let many = format!("{}{raw}", "Received: from a by b; Fri, 1 May 2026 10:00:00 +0200\r\n".repeat(30));
        let private = Private::of(std::iter::empty());
        let of = |raw: &str| stations(&MessageParser::default().parse(raw.as_bytes()).expect("a mail"), &private);
        let (read, more) = of(raw);
        assert_eq!(more, 0);
        assert_eq!(read[0].from.as_deref(), Some("relay.example.com"));
        assert_eq!(read[0].by.as_deref(), Some("mx.example.org"));
        assert_eq!(read[0].address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(read[0].at, Some("2026-05-01T08:00:00Z".parse().unwrap()));
        assert_eq!(read[1].address, Some("198.51.100.9".parse().unwrap()));
        assert!(read.iter().all(|hop| !hop.own));
        let (read, more) = of(&many);
        // What is no such header is none.
        assert_eq!(read.len() as u64 + more, 32);
        assert_eq!(read.len(), STATIONS);
    }
}
