//! Access logs of nginx and Apache in the combined or common format, with or without the host before them. The user name is
//! that of HTTP Basic, whatever was answered to it; passwords are not logged.

use crate::sensors::log::formats::format::{Clock, Format, Login, address};
use jiff::fmt::strtime;

/// A row of `formats::ALL`.
pub const NGINX: Format = Format { name: "nginx", reader: || Box::new(read) };
/// A row of `formats::ALL`.
pub const APACHE: Format = Format { name: "apache", reader: || Box::new(read) };

fn read(line: &str, _: &Clock) -> Option<Login> {
    // Neither server writes a bare quotation mark within a name: the first stands before the request.
    let (before, _) = line.split_once("] \"")?;
    let (visitor, at) = before.rsplit_once(" [")?;
    let at = strtime::parse("%d/%b/%Y:%H:%M:%S %z", at).ok()?.to_timestamp().ok()?;
    let (first, rest) = visitor.split_once(' ')?;
    let (second, rest) = rest.split_once(' ')?;
    // `host address - name`, else `address - name`.
    let (source_ip, host, name) = match (address(first), address(second)) {
        // A host may be an address too; who visits never names himself so.
        (_, Some(source)) => (Some(source), Some(first.to_owned()), rest.split_once(' ')?.1),
        (source, _) => (source, None, rest),
    };
    let username = unescaped(name);
    let told = !username.trim().is_empty() && name != "-" && name != "\"\"";
    told.then_some(Login { username, source_ip, at: Some(at), host, before: Vec::new() })
}

/// `\x22` is a byte, `\"` and `\\` are themselves.
fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
                (digit(high) << 4 | digit(low), after)
            }
            (b'\\', [next, after @ ..]) => (*next, after),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::{logins, told};
    use proptest::prelude::*;

    #[test]
    fn the_user_of_basic_is_told() {
        let lines = r#"198.51.100.7 - claire.moreau [27/Nov/2026:16:05:01 +0100] "GET /rh/ HTTP/1.1" 401 188 "-" "curl/8"
2001:db8::7 - - [27/Nov/2026:16:05:02 +0100] "GET / HTTP/1.1" 200 12 "-" "x [27/Nov/2026:16:05:01 +0100] \x22GET"
192.0.2.9 - a b [27/Nov/2020:16:05:01 +0100] \x22GET caf\xC3\xA9\x5C [27/Nov/2026:16:05:03 +0100] "GET / HTTP/1.1" 401 188 "-" "-"
192.0.2.9 - a\"b\\c [27/Nov/2026:16:05:04 +0100] "GET / HTTP/1.1" 401 188
rh.example.org:443 192.0.2.9 - cmoreau [27/Nov/2026:16:05:05 +0000] "GET / HTTP/1.1" 200 188 "-" "-"
6.6.6.6 192.0.2.9 - cmoreau [27/Nov/2026:16:05:05 +0000] "GET / HTTP/1.1" 200 188 "-" "-"
client.example.net - cmoreau [27/Nov/2026:16:05:06 +0000] "GET / HTTP/1.1" 200 188
192.0.2.9 - "" [27/Nov/2026:16:05:07 +0000] "GET / HTTP/1.1" 401 188
192.0.2.9 - x [99/Nov/2026:16:05:07 +0000] "GET / HTTP/1.1" 401 188
no line"#;
        assert_eq!(
            told(&NGINX, lines),
            [
                "claire.moreau 198.51.100.7 2026-11-27T15:05:01Z",
                "a b [27/Nov/2020:16:05:01 +0100] \"GET café\\ 192.0.2.9 2026-11-27T15:05:03Z",
                "a\"b\\c 192.0.2.9 2026-11-27T15:05:04Z",
                "cmoreau 192.0.2.9 2026-11-27T16:05:05Z",
                "cmoreau 192.0.2.9 2026-11-27T16:05:05Z",
                "cmoreau - 2026-11-27T16:05:06Z",
            ]
        );
        assert_eq!(logins(&APACHE, lines)[3].host.as_deref(), Some("rh.example.org:443"));
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "(192\\.0\\.2\\.1|h| | - | \\[|27/Nov/2026:16:05:01 \\+0100|\\] \"|\\\\|\\\\x|\\\\xC3|é|\\PC){0,10}") {
            for login in logins(&NGINX, &line) {
                prop_assert!(!login.username.trim().is_empty());
            }
        }
    }
}
