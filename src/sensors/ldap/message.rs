//! The messages of LDAP that a decoy reads and writes, in BER. Read by hand: clients use lengths that DER forbids, and a reader
//! that descends into what strangers nest would be theirs to break. Nothing here descends.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// What a client asks, under its number.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub id: Vec<u8>,
    pub asked: Asked,
}

/// What it is that a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A bind with a name and a password in clear.
    Bind {
        name: String,
        password: String,
    },
    /// A bind by SASL's PLAIN; the name is the one beside it.
    Plain {
        name: String,
        response: Vec<u8>,
    },
    /// A bind by another mechanism or method.
    OtherMethod {
        name: String,
    },
    StartTls,
    /// Another extended operation.
    Extended,
    Unbind,
    Abandon,
    /// An operation of this answer's tag.
    Other(u8),
}

/// How long a message is as a whole, once its first bytes tell.
pub fn length(bytes: &[u8]) -> Option<usize> {
    match header(bytes) {
        Header::Of { tag, .. } if tag != SEQUENCE => Some(bytes.len()),
        Header::Of { begins, length, .. } => begins.checked_add(length),
        Header::More => None,
        // As it cannot be read, it is handed over as it is.
        Header::Wrong => Some(bytes.len()),
    }
}

/// Reads a whole message.
pub fn read(bytes: &[u8]) -> Option<Message> {
    let (SEQUENCE, message, _) = element(bytes)? else { return None };
    let (INTEGER, id, rest) = element(message)? else { return None };
    let (operation, content, _) = element(rest)?;
    let asked = match operation {
        0x60 => bind(content)?,
        0x42 => Asked::Unbind,
        0x50 => Asked::Abandon,
        0x77 => {
            let (name, oid, _) = element(content)?;
            if name == 0x80 && oid == START_TLS { Asked::StartTls } else { Asked::Extended }
        }
        // Search ends with another tag than it begins with, and so do the others.
        0x63 => Asked::Other(0x65),
        0x66 | 0x68 | 0x6c | 0x6e => Asked::Other(operation + 1),
        0x4a => Asked::Other(0x6b),
        _ => return None,
    };
    (id.len() <= 5).then(|| Message { id: id.to_vec(), asked })
}

fn bind(content: &[u8]) -> Option<Asked> {
    let (INTEGER, _, rest) = element(content)? else { return None };
    let (OCTETS, name, rest) = element(rest)? else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = text(name);
    match element(rest)? {
        (0x80, password, _) => Some(Asked::Bind { name, password: text(password) }),
        (0xa3, sasl, _) => {
            let (OCTETS, mechanism, rest) = element(sasl)? else { return None };
            let response = element(rest).filter(|(tag, ..)| *tag == OCTETS && mechanism == b"PLAIN");
            Some(match response {
                Some((_, bytes, _)) => Asked::Plain { name, response: bytes.to_vec() },
                None => Asked::OtherMethod { name },
            })
        }
        // Windows' own, and what others may think of.
        _ => Some(Asked::OtherMethod { name }),
    }
}

/// An answer to what was asked.
pub fn answer(id: &[u8], asked: &Asked, result: u8, diagnostic: &str) -> Vec<u8> {
    let tag = match asked {
        Asked::StartTls | Asked::Extended => 0x78,
        Asked::Other(tag) => *tag,
        _ => 0x61,
    };
    let told = [written(ENUMERATED, &[result]), written(OCTETS, b""), written(OCTETS, diagnostic.as_bytes())].concat();
    written(SEQUENCE, &[written(INTEGER, id), written(tag, &told)].concat())
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = if length < 0x80 { vec![tag, length as u8] } else { vec![tag, 0x82, (length >> 8) as u8, length as u8] };
    [head, content.to_vec()].concat()
}

enum Header {
    Of { tag: u8, begins: usize, length: usize },
    More,
    Wrong,
}

fn header(bytes: &[u8]) -> Header {
    match bytes {
        [tag, ..] if tag & 0x1f == 0x1f => Header::Wrong,
        [tag, length, ..] if *length < 0x80 => Header::Of { tag: *tag, begins: 2, length: usize::from(*length) },
        [_, count, ..] if !(0x81..=0x84).contains(count) => Header::Wrong,
        [tag, count, rest @ ..] => match rest.get(..usize::from(count & 0x7f)) {
            Some(digits) => {
                let length = digits.iter().fold(0, |sum: usize, digit| sum << 8 | usize::from(*digit));
                Header::Of { tag: *tag, begins: 2 + digits.len(), length }
            }
            None => Header::More,
        },
        _ => Header::More,
    }
}

/// The tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let Header::Of { tag, begins, length } = header(bytes) else { return None };
    let (content, rest) = bytes.get(begins..)?.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(operation: &[u8]) -> Vec<u8> {
        written(SEQUENCE, &[written(INTEGER, &[7]), operation.to_vec()].concat())
    }

    fn simple(name: &str, password: &str) -> Vec<u8> {
        let parts = [written(INTEGER, &[3]), written(OCTETS, name.as_bytes()), written(0x80, password.as_bytes())];
        asked(&written(0x60, &parts.concat()))
    }

    #[test]
    fn what_clients_ask_is_read() {
        let read = |bytes: &[u8]| {
            assert_eq!(length(bytes), Some(bytes.len()));
            let message = read(bytes).expect("a message");
            assert_eq!(message.id, [7]);
            message.asked
        };
        let bind = |name: &str, password: &str| Asked::Bind { name: name.into(), password: password.into() };
        assert_eq!(read(&simple("uid=a,dc=b", "secret")), bind("uid=a,dc=b", "secret"));
        assert_eq!(read(&simple(&"n".repeat(300), "")), bind(&"n".repeat(300), ""));
        // Lengths as Windows writes them.
        let short = simple("a", "b");
        let long = [&[SEQUENCE, 0x84, 0, 0, 0, short[1]], &short[2..]].concat();
        assert_eq!(read(&long), bind("a", "b"));
        let sasl = |mechanism: &str| {
            let sasl = [written(OCTETS, mechanism.as_bytes()), written(OCTETS, b"\0a\0b")].concat();
            asked(&written(0x60, &[written(INTEGER, &[3]), written(OCTETS, b"cn=a"), written(0xa3, &sasl)].concat()))
        };
        let name = || "cn=a".to_owned();
        assert_eq!(read(&sasl("PLAIN")), Asked::Plain { name: name(), response: b"\0a\0b".to_vec() });
        assert_eq!(read(&sasl("GSSAPI")), Asked::OtherMethod { name: name() });
        for method in 0x89..=0x8b {
            let parts = [written(INTEGER, &[3]), written(OCTETS, b"cn=a"), written(method, b"NTLMSSP")];
            assert_eq!(read(&asked(&written(0x60, &parts.concat()))), Asked::OtherMethod { name: name() });
        }
        assert_eq!(read(&asked(&written(0x77, &written(0x80, START_TLS)))), Asked::StartTls);
        assert_eq!(read(&asked(&written(0x77, &written(0x80, b"1.2")))), Asked::Extended);
        assert_eq!(read(&asked(&[0x42, 0])), Asked::Unbind);
        assert_eq!(read(&asked(&written(0x63, b"x"))), Asked::Other(0x65));
    }

    #[test]
    fn an_answer_is_what_the_protocol_wants() {
        let bind = Asked::Bind { name: String::new(), password: String::new() };
        assert_eq!(answer(&[7], &bind, 49, ""), [0x30, 12, 2, 1, 7, 0x61, 7, 10, 1, 49, 4, 0, 4, 0]);
        assert!(answer(&[7], &bind, 49, &"x".repeat(1000)).starts_with(&[0x30, 0x82]));
    }

    #[test]
    fn what_is_too_long_or_cut_off_is_not_waited_for_in_vain() {
        assert_eq!(length(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), Some(0xffff_ffff + 6));
        assert_eq!((length(&[]), length(&[0x30]), length(&[0x30, 0x82, 1])), (None, None, None));
        assert_eq!(length(b"\x16\x03\x01"), Some(3));
        assert_eq!(length(&[0x30, 0x80, 0, 0]), Some(4));
        assert!(read(b"GET / HTTP/1.1\r\n").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..40_usize, byte in any::<u8>()) {
            let _ = (length(&bytes), read(&bytes));
            let mut bind = simple("uid=a,dc=b", "secret");
            if let Some(place) = bind.get_mut(at) {
                *place = byte;
            }
            let _ = (length(&bind), read(&bind), read(&bind[..at.min(bind.len())]));
        }
    }
}
