//! Dovecot, by syslog or to a file of its own (`log_path`). With `auth_verbose = yes` each attempt that fails is a line of its own;
//! without it only the last of a connection is told, when that ends. An attempt is told once: a name that a connection
//! tries again, or that several databases refuse, is the same one. Passwords that `auth_verbose_passwords` adds are not read.

use crate::sensors::log::formats::{
    format::{Clock, Format, Login, Reader, address},
    syslog,
};
use std::collections::VecDeque;

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "dovecot", reader: || Box::new(Dovecot::default()) };

/// Attempts of which a second line is known to be one.
const TOLD: usize = 4096;
/// What stands in a line of the authentication service about a login that failed.
const FAILED: [&str; 5] =
    ["unknown user", "password mismatch", "authentication failure", "invalid credentials", "user not known"];

#[derive(Default)]
struct Dovecot {
    /// Session and name.
    told: VecDeque<(String, String)>,
}

impl Reader for Dovecot {
    fn read(&mut self, line: &str, clock: &Clock) -> Option<Login> {
        let head = syslog::head(line, clock);
        let (at, host, message) = match &head {
            Some(head) if head.program == "dovecot" => (head.at, Some(head.host.to_owned()), head.message),
            Some(_) => return None,
            None => {
                let (at, message) = syslog::time(line, clock)?;
                (at, None, message)
            }
        };
        let (service, message) = message.split_once(": ")?;
        let message =
            ["Info: ", "Error: ", "Warning: "].iter().find_map(|level| message.strip_prefix(level)).unwrap_or(message);
        let (username, source, session) = if service.starts_with("auth") { refused(message)? } else { ended(message)? };
        let attempt = (session.to_owned(), username.to_owned());
        if username.trim().is_empty() || (!session.is_empty() && self.told.contains(&attempt)) {
            return None;
        }
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back(attempt);
        Some(Login { username: username.to_owned(), source_ip: address(source), at, host, before: Vec::new() })
    }
}

/// `passwd-file(claire.moreau,198.51.100.7,<G8bAT0dhJMV/AAAB>): unknown user`: name, source and session. The name is what a
/// visitor chose, what stands behind it is Dovecot's.
fn refused(message: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = message.split_once('(')?;
    let (visitor, said) = rest.rsplit_once("): ")?;
    let said = said.to_ascii_lowercase();
    FAILED.iter().any(|failed| said.contains(failed)).then_some(())?;
    let (rest, session) = match visitor.strip_suffix('>').and_then(|visitor| visitor.rsplit_once(",<")) {
        Some((rest, session)) => (rest, session),
        None => (visitor, ""),
    };
    let (name, source) = rest.rsplit_once(',')?;
    Some((name, source, session))
}

/// `Login: user=<claire.moreau>, method=PLAIN, rip=198.51.100.7, …, session=<…>`, or how a connection ended on which a login failed.
fn ended(message: &str) -> Option<(&str, &str, &str)> {
    let (outcome, rest) = message.split_once("user=<")?;
    (outcome == "Login: " || outcome.contains("(auth failed, ")).then_some(())?;
    let (name, rest) = rest.rsplit_once(">, method=")?;
    let field = |name: &str| Some(rest.split_once(name)?.1.split([',', ' ']).next().unwrap_or_default());
    let session = field(", session=<").map_or("", |session| session.trim_end_matches('>'));
    Some((name, field(", rip=")?, session))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::{logins, told};
    use proptest::prelude::*;

    #[test]
    fn each_attempt_is_told_once() {
        let lines = "Nov 27 16:05:01 auth: Info: passwd-file(one,198.51.100.7,<rP/KUUdhutB/AAAB>): unknown user
Nov 27 16:05:02 auth: Info: ldap(one,198.51.100.7,<rP/KUUdhutB/AAAB>): unknown user (given password: secret)
Nov 27 16:05:03 auth-worker(77): Info: pam(a, (b) c,198.51.100.7,<rP/KUUdhutB/AAAB>): pam_authenticate() failed: Authentication failure (Password mismatch?)
Nov 27 16:05:04 imap-login: Info: Disconnected: Connection closed (auth failed, 3 attempts in 51 secs): user=<a, (b) c>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, TLS, session=<rP/KUUdhutB/AAAB>
Nov 27 16:05:05 imap-login: Info: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=198.51.100.7, lip=192.0.2.1, session=<x>
Nov 27 16:05:06 imap-login: Info: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<quiet>, method=LOGIN, rip=2001:db8::7, lip=2001:db8::1, session=<y>";
        assert_eq!(
            told(&FORMAT, lines),
            [
                "one 198.51.100.7 2026-11-27T15:05:01Z",
                "a, (b) c 198.51.100.7 2026-11-27T15:05:03Z",
                "quiet 2001:db8::7 2026-11-27T15:05:06Z",
            ]
        );
    }

    #[test]
    fn it_is_known_by_syslog_too() {
        let lines = "2026-11-27T16:05:01+01:00 mail-1 dovecot: imap-login: Login: user=<c.moreau@example.org>, method=PLAIN, rip=::ffff:192.0.2.9, lip=192.0.2.1, mpid=7, TLS, session=<z>
Nov 27 16:05:01 mail-1 dovecot: auth: sql(cmoreau,192.0.2.9): Password mismatch
Nov 27 16:05:01 mail-1 dovecot: auth: Error: sql(cmoreau,192.0.2.9): Password query failed: no such table
Nov 27 16:05:01 mail-1 postfix: auth: sql(other,192.0.2.9): Password mismatch";
        let found = logins(&FORMAT, lines);
        assert_eq!(found[0].host.as_deref(), Some("mail-1"));
        assert_eq!(
            told(&FORMAT, lines),
            ["c.moreau@example.org 192.0.2.9 2026-11-27T15:05:01Z", "cmoreau 192.0.2.9 2026-11-27T15:05:01Z"]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "Nov 27 16:05:01 (host dovecot: |auth: |imap-login: |Info: |pam\\(|a|,|,<s>|\\): unknown user|Login: user=<|>, method=PLAIN|, rip=1\\.2\\.3\\.4|, session=<|\\(auth failed, |é|\\PC){0,10}") {
            for login in logins(&FORMAT, &line) {
                prop_assert!(!login.username.trim().is_empty());
            }
        }
    }
}
