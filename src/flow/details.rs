//! What the evidence of a sighting tells beside the sighting itself: what was asked for, by which program, who wrote and
//! about what. It is read from bytes that strangers sent: shortened, and without what steers a terminal. Nothing in it
//! is trusted or followed. Whoever may see no marker is shown none here either.

use crate::domain::sighting::Class;
use canaries::{Marker, index::Index};
use mail_parser::MessageParser;
use serde::Serialize;
use serde_json::Value;

/// Characters of each that are read, and that are shown.
const READ: usize = 2000;
const SHOWN: usize = 300;
/// Stands where a marker stood.
const HIDDEN: &str = "[marker]";
/// Under which names posted login events carry the visitor's program.
const PROGRAMS: [&str; 5] = ["user_agent", "userAgent", "rawUserAgent", "user-agent", "UserAgent"];

/// What could be read; none of what was not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// `POST /login`, or the path alone that a paste or document was found under.
    pub request: Option<String>,
    pub user_agent: Option<String>,
    /// Who the mail says it is from: the envelope, and the header where that differs.
    pub sender: Option<String>,
    pub subject: Option<String>,
}

/// Reads the evidence of a sighting of this class.
pub fn details(class: Class, evidence: &[u8]) -> Details {
    match class {
        Class::Mail => mail(evidence),
        Class::Login | Class::Document | Class::Preview if evidence.first() == Some(&b'{') => posted(evidence),
        Class::Login | Class::Document | Class::Preview => request(evidence),
        Class::Dump | Class::Store | Class::Read => Details::default(),
    }
}

fn request(evidence: &[u8]) -> Details {
    let text = String::from_utf8_lossy(evidence);
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let asked = match (first.next(), first.next(), first.next()) {
        (Some(method), Some(target), Some(version)) if version.starts_with("HTTP/") => {
            Some(format!("{method} {target}"))
        }
        _ => None,
    };
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("user-agent").then(|| shown(value))
    };
    Details {
        user_agent: lines.take_while(|line| !line.is_empty()).find_map(header).filter(|_| asked.is_some()),
        request: asked.map(|asked| shown(&asked)),
        ..Details::default()
    }
}

fn posted(evidence: &[u8]) -> Details {
    fn find(value: &Value, depth: usize) -> Option<&str> {
        let object = value.as_object().filter(|_| depth < 6)?;
        let here = PROGRAMS.iter().find_map(|name| object.get(*name)?.as_str());
        here.or_else(|| object.values().find_map(|inner| find(inner, depth + 1)))
    }
    let event: Value = serde_json::from_slice(evidence).unwrap_or_default();
    Details { user_agent: find(&event, 0).map(shown), ..Details::default() }
}

fn mail(evidence: &[u8]) -> Details {
    let head = b"\r\n\r\n";
    let Some(end) = evidence.windows(head.len()).position(|window| window == head) else { return Details::default() };
    let envelope = String::from_utf8_lossy(&evidence[..end]);
    let reverse = envelope.lines().find_map(|line| line.strip_prefix("MAIL FROM:<")?.strip_suffix('>'));
    let message = MessageParser::default().parse(&evidence[end + head.len()..]);
    let author = message.as_ref().and_then(|message| message.from()?.first()?.address().map(str::to_owned));
    let sender = match (reverse.filter(|reverse| !reverse.is_empty()), author) {
        (Some(reverse), Some(author)) if !author.eq_ignore_ascii_case(reverse) => {
            Some(format!("{reverse} (From: {author})"))
        }
        (Some(reverse), _) => Some(reverse.to_owned()),
        (None, author) => author,
    };
    Details {
        sender: sender.as_deref().map(shown),
        subject: message.as_ref().and_then(|message| message.subject()).map(shown),
        ..Details::default()
    }
}

fn shown(text: &str) -> String {
    webhooks::clean(text, READ)
}

impl Details {
    /// The same with a sign where a marker stands: one that the index knows, or one of this canary's.
    pub fn without_markers(self, index: &Index, own: &[Marker]) -> Details {
        let hide = |text: Option<String>| text.map(|text| hidden(&text, index, own));
        Details {
            request: hide(self.request),
            user_agent: hide(self.user_agent),
            sender: hide(self.sender),
            subject: hide(self.subject),
        }
    }

    /// The beginning of each.
    pub fn shortened(self) -> Details {
        let short = |text: Option<String>| text.map(|text| webhooks::clip(&text, SHOWN));
        Details {
            request: short(self.request),
            user_agent: short(self.user_agent),
            sender: short(self.sender),
            subject: short(self.subject),
        }
    }
}

fn hidden(text: &str, index: &Index, own: &[Marker]) -> String {
    let within = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | '@' | '%' | '+');
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|letter| !within(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let known = !word.is_empty() && !index.recognise(None, word).is_empty();
        kept.push_str(if known { HIDDEN } else { word });
        let mark = after.chars().next();
        kept.extend(mark);
        rest = &after[mark.map_or(0, char::len_utf8)..];
    }
    // What is written with spaces or escapes is no word: then nothing of the text is shown.
    let mut left = false;
    canaries::index::scan(kept.as_bytes(), index, &mut |_| left = true);
    let lower = kept.to_lowercase();
    left |= own.iter().any(|marker| lower.contains(&marker.value.to_lowercase()));
    if left { HIDDEN.to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use canaries::{
        MarkerKind,
        index::{FingerprintKey, Owner},
    };
    use proptest::prelude::*;

    #[test]
    fn requests_mails_and_events_are_read() {
        let asked = b"POST /login?x=1 HTTP/1.1\r\nhost: a\r\nUser-Agent: curl/8.5\r\n\r\nuser-agent: no";
        let read = details(Class::Login, asked);
        assert_eq!(read.request.as_deref(), Some("POST /login?x=1"));
        assert_eq!(read.user_agent.as_deref(), Some("curl/8.5"));
        let mail = b"MAIL FROM:<b@x.example>\r\nRCPT TO:<a@y.example>\r\n\r\nFrom: C <c@x.example>\r\n\
                     Subject: =?utf-8?q?R=C3=A9union?=\r\n\r\nBonjour";
        let read = details(Class::Mail, mail);
        assert_eq!(read.sender.as_deref(), Some("b@x.example (From: c@x.example)"));
        assert_eq!(read.subject.as_deref(), Some("R\u{e9}union"));
        let event = br#"{"client":{"userAgent":{"rawUserAgent":"Mozilla\u001b[31m"}}}"#;
        assert_eq!(
            details(Class::Login, event).user_agent.as_deref(),
            Some(&*webhooks::clean("Mozilla\u{1b}[31m", 300))
        );
        assert_eq!(details(Class::Dump, asked), Details::default());
    }

    #[test]
    fn no_marker_is_left() {
        let mut index = Index::new(FingerprintKey::new([0; 32]));
        let own = [
            Marker { kind: MarkerKind::Username, value: "c.moreau7".into() },
            Marker { kind: MarkerKind::Iban, value: "FR7699999000010000000000151".into() },
            Marker { kind: MarkerKind::DocumentLink, value: "k3v9t2m8q4".into() },
        ];
        for marker in &own {
            for (fingerprint, kind, digest) in index.key().all(marker) {
                index.insert(fingerprint, Owner::Ghost(1), kind, digest);
            }
        }
        for (text, left) in [
            ("GET /rh/k3v9t2m8q4/logo.png", "GET /rh/[marker]/logo.png"),
            ("GET /login?user=c.moreau7&x=y", "GET /login?user=[marker]&x=y"),
            ("for C.MOREAU7!", "for [marker]!"),
            ("Re: c\u{2e}moreau7", "Re: [marker]"),
            ("xc.moreau7x", "[marker]"),
            ("Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (X11; Linux)"),
        ] {
            assert_eq!(hidden(text, &index, &own), left, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,80}") {
            let index = Index::new(FingerprintKey::new([0; 32]));
            for class in [Class::Login, Class::Mail, Class::Document, Class::Preview, Class::Dump] {
                let _ = details(class, &bytes).without_markers(&index, &[]);
                let _ = details(class, text.as_bytes());
            }
            prop_assert_eq!(hidden(&text, &index, &[]), text);
        }
    }
}
