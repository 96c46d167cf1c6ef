//! Dovecot, by syslog or to a file of its own (`log_path`). With `auth_verbose = yes` each attempt that fails is a line of its own;
//! without it only the last of a connection is told, when that ends. An attempt is told once: a name that a connection
//! tries again, or that several databases refuse, is the same one. Passwords that `auth_verbose_passwords` adds are not read.

use crate::sensors::log::formats::{
    format::{Clock, Format, Login, Reader, address},
    syslog,
};
use std::collections::{HashSet, VecDeque};

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "dovecot", reader: || Box::new(Dovecot::default()) };

/// Attempts of which a second line is known to be one.
const TOLD: usize = 4096;
/// What stands in a line of the authentication service about a login that failed.
const FAILED: [&str; 5] =
    ["unknown user", "password mismatch", "authentication failure", "invalid credentials", "user not known"];

#[derive(Default)]
struct Dovecot {
    /// Session and name; and which went first.
    told: HashSet<(String, String)>,
    order: VecDeque<(String, String)>,
}

impl Reader for Dovecot {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Login> {
        self.login(line, clock).into_iter().collect()
    }
}

impl Dovecot {
    fn login(&mut self, line: &str, clock: &Clock) -> Option<Login> {
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
        // `auth`, `auth-worker(77)`, `imap-login`. Other services write what mails say.
        let service = service.split('(').next().unwrap_or(service);
        let (username, source, session) = match service {
            "auth" | "auth-worker" => refused(message)?,
            _ if service.ends_with("-login") => ended(message)?,
            _ => return None,
        };
        if username.trim().is_empty() || !self.is_new(session, username) {
            return None;
        }
        Some(Login { username: username.to_owned(), source_ip: address(source), at, host, before: Vec::new() })
    }
}

impl Dovecot {
    /// Whether this name was not told of yet in this session; those without a session are all new.
    fn is_new(&mut self, session: &str, username: &str) -> bool {
        let attempt = (session.to_owned(), username.to_owned());
        if session.is_empty() {
            return true;
        }
        let new = self.told.insert(attempt.clone());
        if new {
            self.order.push_back(attempt);
        }
        if self.order.len() > TOLD
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        new
    }
}

/// `passwd-file(claire.moreau,198.51.100.7,<G8bAT0dhJMV/AAAB>): unknown user`: name, source and session. A worker says first
/// which connection it serves. The name is what a visitor chose, what stands behind its session is Dovecot's, but for a
/// password that it may be told to add.
fn refused(message: &str) -> Option<(&str, &str, &str)> {
    let worker = || message.strip_prefix("conn ")?.split_once(": auth-worker<")?.1.split_once(">: ");
    let (_, rest) = worker().map_or(message, |(_, message)| message).split_once('(')?;
    let sessioned = || rest.find(">): ").map(|end| (&rest[..=end], &rest[end + 4..]));
    let (visitor, said) = sessioned().or_else(|| rest.split_once("): "))?;
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
    let ended = ["Disconnected", "Aborted login", "Login aborted"].iter().any(|how| outcome.starts_with(how));
    (outcome == "Login: " || (ended && outcome.contains("(auth failed, "))).then_some(())?;
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

    #[test]
    fn only_what_dovecot_says_itself_is_believed() {
        let lines = "Nov 27 16:05:01 lmtp(adm)<7><x>: Info: sieve: msgid=<Login: user=<forged>, method=PLAIN, rip=6.6.6.6, session=<q>>: stored mail
Nov 27 16:05:01 imap(adm)<7><x>: Info: Login: user=<forged>, method=PLAIN, rip=6.6.6.6, session=<q>
Nov 27 16:05:01 authors: Info: pam(forged,6.6.6.6,<q>): unknown user
Nov 27 16:05:01 imap-login: Info: said Login: user=<forged>, method=PLAIN, rip=6.6.6.6, session=<q>
Nov 27 16:05:01 imap-login: Info: Other (auth failed, 1 attempts): user=<forged>, method=PLAIN, rip=6.6.6.6, session=<q>
Nov 27 16:05:02 imap-login: Info: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): user=<new>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, session=<b>
Nov 27 16:05:03 pop3-login: Info: Aborted login (auth failed, 1 attempts in 2 secs): user=<old>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, session=<c>
Nov 27 16:05:04 auth-worker(2506): Info: conn unix:auth-worker (pid=2420,uid=0): auth-worker<48865241>: sql(user1@example.org,192.0.2.23,<tgBH>): Password mismatch
Nov 27 16:05:05 auth: Info: ldap(a,192.0.2.9,<d>): Password mismatch (given password: x,6.6.6.6,<e>): unknown user
Nov 27 16:05:06 auth: Info: ldap(b,192.0.2.9): unknown user (given password: x,6.6.6.6): unknown user)";
        assert_eq!(
            told(&FORMAT, lines),
            [
                "new 192.0.2.9 2026-11-27T15:05:02Z",
                "old 192.0.2.9 2026-11-27T15:05:03Z",
                "user1@example.org 192.0.2.23 2026-11-27T15:05:04Z",
                "a 192.0.2.9 2026-11-27T15:05:05Z",
                "b 192.0.2.9 2026-11-27T15:05:06Z",
            ]
        );
    }

    #[test]
    fn what_is_kept_of_attempts_is_bounded() {
        let mut dovecot = Dovecot::default();
        for number in 0..TOLD + 10 {
            assert!(dovecot.is_new(&number.to_string(), "a") && dovecot.is_new("", "a"));
        }
        assert_eq!((dovecot.told.len(), dovecot.order.len()), (TOLD, TOLD));
        assert!(dovecot.is_new("0", "a") && !dovecot.is_new("0", "a"));
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
