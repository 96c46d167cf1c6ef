//! OpenLDAP's slapd with `loglevel stats`, by syslog or by itself (`-d stats`). A login is three lines that `conn=` and `op=`
//! join: where the connection comes from, the name that binds, the result. It is told at the result, once. slapd never logs
//! a password.

use crate::sensors::{
    credentials,
    log::formats::{
        format::{Clock, Format, Login, Reader, address},
        syslog,
        threads::{Threads, parted},
    },
};
use jiff::Timestamp;
use std::{collections::BTreeMap, net::IpAddr};

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "slapd", reader: || Box::new(Slapd::default()) };

/// Connections that are known at once; the oldest goes first.
const CONNECTIONS: usize = 20_000;
/// slapd writes shorter ones.
const LONGEST_LINE: usize = 8 * 1024;
/// So much of where a connection comes from is kept.
const ACCEPT: usize = 512;
/// A connection's first operation may be written so much before where it comes from: another thread does that.
const EARLY_SECONDS: i64 = 5;

#[derive(Default)]
struct Slapd {
    threads: Threads,
    /// By daemon and number of the connection.
    open: BTreeMap<(String, u64), Connection>,
    /// By their age, which their number is: a daemon that starts anew begins again.
    opened: BTreeMap<u64, (String, u64)>,
    count: u64,
}

#[derive(Default)]
struct Connection {
    age: u64,
    /// When its first line was written.
    begun: Option<Timestamp>,
    /// Where it comes from, if from an address, and the line.
    accepted: Option<(Option<IpAddr>, String)>,
    /// The operation, the name, and the line.
    binding: Option<(String, String, String)>,
    /// What its first operation tells, while it is not written yet where it comes from.
    waiting: Option<Login>,
}

/// A line, and what its beginning says.
struct Said<'a> {
    line: &'a str,
    at: Option<Timestamp>,
    host: Option<&'a str>,
    daemon: String,
    message: &'a str,
}

impl Reader for Slapd {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Login> {
        if let Some(head) = syslog::head(line, clock) {
            let (host, daemon) = (Some(head.host), format!("{} {}", head.host, head.tag));
            return self.take(&Said { line, at: head.at, host, daemon, message: head.message });
        }
        let mut told = Vec::new();
        for believed in self.threads.believed(line) {
            let Some((at, _, message)) = parted(&believed) else { continue };
            let said = Said { line: &believed, at: Some(at), host: None, daemon: String::new(), message };
            let held = (believed != line).then(|| believed.clone());
            told.extend(self.take(&said).into_iter().map(|mut login| {
                login.before.extend(held.clone());
                login
            }));
        }
        told
    }
}

impl Slapd {
    fn take(&mut self, said: &Said<'_>) -> Vec<Login> {
        let parts = || {
            let (number, message) = said.message.strip_prefix("conn=")?.split_once(' ')?;
            let (first, message) = message.split_once(' ')?;
            Some((number.parse().ok()?, first, message))
        };
        let Some((number, first, message)) = parts().filter(|_| said.line.len() <= LONGEST_LINE) else {
            return Vec::new();
        };
        let connection = (said.daemon.clone(), number);
        let mut told = Vec::new();
        let accepted = message.strip_prefix("ACCEPT from ").map(|from| {
            let source = from.strip_prefix("IP=").and_then(|from| address(from.split(' ').next()?));
            (source, said.line[..said.line.floor_char_boundary(ACCEPT)].to_owned())
        });
        if let Some(known) = self.open.get_mut(&connection)
            && !message.starts_with("UNBIND")
            && let Some(mut login) = known.waiting.take()
        {
            // Long after, it is where another connection of that number comes from.
            let accepted = accepted.as_ref().filter(|_| known.is_early(said.at));
            login.source_ip = accepted.and_then(|(source, _)| *source);
            told.push(login);
        }
        if accepted.is_some() {
            if self.open.get(&connection).is_some_and(|known| !known.is_early(said.at)) {
                self.close(&connection);
            }
            self.open(connection, said.at).accepted = accepted;
        } else if message.starts_with("closed") {
            self.close(&connection);
        } else if let Some(name) = name(message) {
            self.open(connection, said.at).binding = Some((first.to_owned(), name, said.line.to_owned()));
        } else if message.starts_with("RESULT tag=97 ")
            && let Some(known) = self.open.get_mut(&connection)
            && let Some((_, name, bind)) = known.binding.take().filter(|(operation, ..)| operation == first)
        {
            let username = credentials::named(&name);
            let accepted = known.accepted.clone();
            let source_ip = accepted.as_ref().and_then(|(source, _)| *source);
            let before = accepted.into_iter().map(|(_, line)| line).chain([bind]).collect();
            let host = said.host.map(str::to_owned);
            let mut login = Login { username, source_ip, at: said.at, host, before };
            if known.accepted.is_none() && first == "op=0" {
                login.before.push(said.line.to_owned());
                known.waiting = Some(login);
            } else {
                told.push(login);
            }
        }
        told.retain(|login| !login.username.trim().is_empty());
        told
    }

    fn open(&mut self, connection: (String, u64), at: Option<Timestamp>) -> &mut Connection {
        if !self.open.contains_key(&connection) {
            self.count += 1;
            self.opened.insert(self.count, connection.clone());
            if self.opened.len() > CONNECTIONS
                && let Some((_, oldest)) = self.opened.pop_first()
            {
                self.open.remove(&oldest);
            }
        }
        let age = self.count;
        self.open.entry(connection).or_insert_with(|| Connection { age, begun: at, ..Connection::default() })
    }

    fn close(&mut self, connection: &(String, u64)) {
        if let Some(closed) = self.open.remove(connection) {
            self.opened.remove(&closed.age);
        }
    }
}

impl Connection {
    /// Whether it may be the one that is accepted at this time, and not an older one of the same number.
    fn is_early(&self, at: Option<Timestamp>) -> bool {
        let apart = self.begun.zip(at).map(|(begun, at)| begun.duration_until(at).as_secs().abs());
        self.accepted.is_none() && apart.is_some_and(|seconds| seconds <= EARLY_SECONDS)
    }
}

/// Whom a message names as the one who binds: a simple bind, one by SASL, or one that is no name of a directory. What
/// repeats it when the bind succeeds is left out. A name with a line break in it ends there.
fn name(message: &str) -> Option<String> {
    let (name, rest) = match message.strip_prefix("BIND ") {
        Some(bind) => {
            let quoted = bind.strip_prefix("dn=\"").or_else(|| bind.strip_prefix("authcid=\""))?;
            quoted.rsplit_once("\" ").unwrap_or((quoted, ""))
        }
        None => {
            let name = message.strip_prefix("do_bind: invalid dn (")?;
            (name.strip_suffix(')').unwrap_or(name), "")
        }
    };
    (!name.is_empty() && !rest.starts_with("mech=")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::{logins, told};
    use proptest::prelude::*;

    const THREE: &str =
        "6b09ddf0.35b8fa34 0x7f3fca3fe6c0 conn=1001 fd=12 ACCEPT from IP=198.51.100.7:35512 (IP=0.0.0.0:389)
6b09ddf0.35bd2ad6 0x7f3fc9bfd6c0 conn=1001 op=0 BIND dn=\"uid=claire.moreau,ou=people,dc=example,dc=org\" method=128
6b09ddf0.35bf2844 0x7f3fc9bfd6c0 conn=1001 op=0 RESULT tag=97 err=49 qtime=0.000031 etime=0.000191 text=
6b09ddf0.35c33e88 0x7f3fca3fe6c0 conn=1001 fd=12 closed";

    #[test]
    fn three_lines_are_one_login() {
        let found = logins(&FORMAT, THREE);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].before.len(), 2);
        assert!(found[0].before[0].contains("ACCEPT") && found[0].before[1].contains("BIND"));
        let short = told(&FORMAT, THREE);
        assert!(short[0].starts_with("claire.moreau 198.51.100.7 2026-11-2"), "{short:?}");
    }

    #[test]
    fn connections_are_told_apart_and_a_success_is_told_once() {
        let by_syslog = |message: &str| format!("Nov 27 16:05:01 ldap-1 slapd[812]: {message}\n");
        let lines: String = [
            "conn=7 fd=12 ACCEPT from IP=[2001:db8::7]:35512 (IP=[::]:636)",
            "conn=8 fd=13 ACCEPT from IP=192.0.2.9:1 (IP=0.0.0.0:389)",
            "conn=7 fd=12 TLS established tls_ssf=256 ssf=256 tls_proto=TLSv1.3",
            "conn=7 op=0 BIND dn=\"cn=a\\2Cb\\22c+uid=é,dc=example,dc=org\" method=128",
            "conn=8 op=0 do_bind: invalid dn (c.moreau@example.org)",
            "conn=8 op=0 RESULT tag=97 err=34 qtime=0.000035 etime=0.000175 text=invalid DN",
            "conn=7 op=0 RESULT tag=97 err=49 text=",
            "conn=7 op=1 BIND dn=\"uid=adm,dc=example,dc=org\" method=128",
            "conn=7 op=1 BIND dn=\"uid=adm,dc=example,dc=org\" mech=SIMPLE bind_ssf=0 ssf=0",
            "conn=7 op=1 RESULT tag=97 err=0 text=",
            "conn=7 op=2 BIND dn=\"\" method=128",
            "conn=7 op=2 RESULT tag=97 err=0 text=",
            "conn=7 op=3 SEARCH RESULT tag=101 err=0 nentries=1 text=",
            "conn=7 op=4 BIND dn=\"\" method=163",
            "conn=7 op=4 RESULT tag=97 err=14 text=SASL(0): successful result",
            "conn=7 op=5 BIND authcid=\"by.sasl@example.org\" authzid=\"by.sasl@example.org\"",
            "conn=7 op=5 BIND dn=\"uid=by.sasl,cn=example,cn=auth\" mech=SCRAM-SHA-256 bind_ssf=0 ssf=0",
            "conn=7 op=5 RESULT tag=97 err=0 text=",
            "conn=9 op=1 BIND dn=\"uid=before,dc=example,dc=org\" method=128",
            "conn=9 op=1 RESULT tag=97 err=49 text=",
        ]
        .map(by_syslog)
        .concat();
        assert_eq!(
            told(&FORMAT, &lines),
            [
                "c.moreau@example.org 192.0.2.9 2026-11-27T15:05:01Z",
                "a,b\"c 2001:db8::7 2026-11-27T15:05:01Z",
                "adm 2001:db8::7 2026-11-27T15:05:01Z",
                "by.sasl@example.org 2001:db8::7 2026-11-27T15:05:01Z",
                "before - 2026-11-27T15:05:01Z",
            ]
        );
    }

    #[test]
    fn a_client_writes_no_lines_and_does_not_hide() {
        let forged = [
            "conn=55 fd=1 ACCEPT from IP=6.6.6.6:1 (IP=0.0.0.0:389)",
            "conn=55 op=0 BIND dn=\"uid=forged,dc=x\" method=128",
            "conn=55 op=0 RESULT tag=97 err=49 text=",
        ]
        .map(|line| format!("6b09ddf0.35b8fa34 0x7f0000000001 {line}"))
        .join("\n");
        let own = |message: &str| format!("6b09ddf0.35b8fa34 0x7f08093fe6c0 {message}\n");
        for name in ["his.own)", "his.own", ""] {
            let lines = own("conn=1001 fd=12 ACCEPT from IP=192.0.2.9:39664 (IP=127.0.0.1:32777)")
                + &own(&format!("conn=1001 op=0 do_bind: invalid dn ({name}\n{forged})"))
                + &own("conn=1001 op=0 RESULT tag=97 err=34 qtime=0.000029 etime=0.000177 text=invalid DN")
                + &own(&format!("conn=1001 op=1 MOD attr=x\n{forged}"))
                + &own(&format!("conn=1001 op=1 RESULT tag=103 err=17 text=x\n{forged}: AttributeDescription"));
            let expected: &[&str] = &["his.own 192.0.2.9 2026-11-27T19:45:52.901315124Z"];
            assert_eq!(told(&FORMAT, &lines), if name.is_empty() { &[] } else { expected }, "{name}");
        }
        // Without the thread it is no line of slapd's file.
        assert!(told(&FORMAT, &forged.replace("0x7f0000000001 ", "")).is_empty());
    }

    #[test]
    fn an_old_connection_of_the_same_number_gives_no_source() {
        let by_syslog = |at: u32, message: &str| format!("Nov 27 16:{at:02}:01 ldap-1 slapd[812]: conn=7 {message}\n");
        let bind = "op=0 BIND dn=\"uid=a,dc=b\" method=128";
        let result = "op=0 RESULT tag=97 err=49 text=";
        let accept = "fd=12 ACCEPT from IP=192.0.2.9:1 (IP=0.0.0.0:389)";
        let local = by_syslog(5, accept)
            + &by_syslog(6, "fd=12 ACCEPT from PATH=/run/ldapi (PATH=/run/ldapi)")
            + &by_syslog(6, bind)
            + &by_syslog(6, result);
        assert_eq!(told(&FORMAT, &local), ["a - 2026-11-27T15:06:01Z"]);
        // Another thread may write first.
        let late = by_syslog(5, bind) + &by_syslog(5, result) + &by_syslog(5, "op=1 UNBIND") + &by_syslog(5, accept);
        assert_eq!(told(&FORMAT, &late), ["a 192.0.2.9 2026-11-27T15:05:01Z"]);
        let between = by_syslog(5, bind) + &by_syslog(5, accept) + &by_syslog(5, result);
        assert_eq!(told(&FORMAT, &between), ["a 192.0.2.9 2026-11-27T15:05:01Z"]);
        let never = by_syslog(5, bind) + &by_syslog(5, result) + &by_syslog(5, "fd=12 closed");
        assert_eq!(told(&FORMAT, &never), ["a - 2026-11-27T15:05:01Z"]);
        let other = by_syslog(5, bind) + &by_syslog(6, accept) + &by_syslog(6, result);
        assert!(told(&FORMAT, &other).is_empty());
    }

    #[test]
    fn what_is_kept_of_a_line_is_bounded() {
        let mut slapd = Slapd::default();
        let clock = Clock { time_zone: jiff::tz::TimeZone::UTC, now: Timestamp::UNIX_EPOCH };
        let line = |message: &str| format!("Nov 27 16:05:01 h slapd[1]: conn=7 {message}");
        slapd.read(&line(&format!("op=1 BIND dn=\"uid={}\" method=128", "a".repeat(LONGEST_LINE))), &clock);
        assert!(slapd.open.is_empty());
        slapd.read(&line(&format!("fd=1 ACCEPT from IP=192.0.2.1:1 {}", "é".repeat(900))), &clock);
        let kept = slapd.open.values().next().and_then(|known| known.accepted.clone()).unwrap();
        assert!(kept.1.len() <= ACCEPT && kept.0.is_some());
    }

    #[test]
    fn what_is_kept_of_connections_is_bounded() {
        let mut slapd = Slapd::default();
        let clock = Clock { time_zone: jiff::tz::TimeZone::UTC, now: Timestamp::UNIX_EPOCH };
        const PREFIX: &str = "6b09ddf0.35b8fa34 0x7f3fca3fe6c0";
        for number in 0..CONNECTIONS + 100 {
            slapd.read(&format!("{PREFIX} conn={number} fd=1 ACCEPT from IP=192.0.2.1:1 (IP=0.0.0.0:389)"), &clock);
        }
        assert_eq!((slapd.open.len(), slapd.opened.len()), (CONNECTIONS, CONNECTIONS));
        for number in 0..CONNECTIONS + 100 {
            slapd.read(&format!("{PREFIX} conn={number} fd=1 closed"), &clock);
        }
        assert!(slapd.open.is_empty() && slapd.opened.is_empty());
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(lines in prop::collection::vec("(6b09ddf0\\.35b8fa34 0x7f |ff\\.ffffffff |conn=1 |op=0 |fd=1 |ACCEPT from IP=|1\\.2\\.3\\.4:5 |BIND dn=\"|uid=a,dc=b|\\\\|\\\\c3|\" method=128|\" mech=|RESULT tag=97 |closed|é|\\PC){0,9}", 0..20)) {
            for login in logins(&FORMAT, &lines.join("\n")) {
                prop_assert!(!login.username.trim().is_empty());
            }
        }
    }
}
