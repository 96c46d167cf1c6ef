//! OpenLDAP's slapd with `loglevel stats`, by syslog or by itself (`-d stats`). A login is three lines that `conn=` and `op=`
//! join: where the connection comes from, the name that binds, the result. It is told at the result, once. slapd never logs
//! a password.

use crate::sensors::{
    credentials,
    log::formats::{
        format::{Clock, Format, Login, Reader, address},
        syslog,
    },
};
use jiff::Timestamp;
use std::{collections::BTreeMap, net::IpAddr};

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "slapd", reader: || Box::new(Slapd::default()) };

/// Connections that are known at once; the oldest goes first.
const CONNECTIONS: usize = 20_000;

#[derive(Default)]
struct Slapd {
    /// By daemon and number of the connection.
    open: BTreeMap<(String, u64), Connection>,
    /// By their age, which their number is: a daemon that starts anew begins again.
    opened: BTreeMap<u64, (String, u64)>,
    count: u64,
}

#[derive(Default)]
struct Connection {
    age: u64,
    source: Option<(IpAddr, String)>,
    /// The operation, the name, and the line.
    binding: Option<(String, String, String)>,
}

impl Reader for Slapd {
    fn read(&mut self, line: &str, clock: &Clock) -> Option<Login> {
        let (at, host, daemon, message) = match syslog::head(line, clock) {
            Some(head) => (head.at, Some(head.host), format!("{} {}", head.host, head.tag), head.message),
            None => (by_itself(line), None, String::new(), &line[line.find("conn=")?..]),
        };
        let (number, message) = message.strip_prefix("conn=")?.split_once(' ')?;
        let connection = (daemon, number.parse().ok()?);
        let (first, message) = message.split_once(' ')?;
        if let Some(source) = message.strip_prefix("ACCEPT from IP=") {
            self.close(&connection);
            let source = address(source.split(' ').next()?)?;
            self.open(connection).source = Some((source, line.to_owned()));
        } else if message.starts_with("closed") {
            self.close(&connection);
        } else if let Some(name) = name(message) {
            self.open(connection).binding = Some((first.to_owned(), name, line.to_owned()));
        } else if message.starts_with("RESULT tag=97 ") {
            let known = self.open.get_mut(&connection)?;
            let (_, name, bind) = known.binding.take().filter(|(operation, ..)| operation == first)?;
            let username = credentials::named(&name);
            let accepted = known.source.clone();
            let (source_ip, accepted) = (accepted.as_ref().map(|(ip, _)| *ip), accepted.map(|(_, line)| line));
            let before = accepted.into_iter().chain([bind]).collect();
            let host = host.map(str::to_owned);
            return (!username.trim().is_empty()).then_some(Login { username, source_ip, at, host, before });
        }
        None
    }
}

impl Slapd {
    fn open(&mut self, connection: (String, u64)) -> &mut Connection {
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
        self.open.entry(connection).or_insert_with(|| Connection { age, ..Connection::default() })
    }

    fn close(&mut self, connection: &(String, u64)) {
        if let Some(closed) = self.open.remove(connection) {
            self.opened.remove(&closed.age);
        }
    }
}

/// Whom a message names as the one who binds: a simple bind, one by SASL, or one that is no name of a directory. What
/// repeats it when the bind succeeds is left out.
fn name(message: &str) -> Option<String> {
    let (name, rest) = match message.strip_prefix("BIND ") {
        Some(bind) => {
            let quoted = bind.strip_prefix("dn=\"").or_else(|| bind.strip_prefix("authcid=\""))?;
            quoted.rsplit_once("\" ")?
        }
        None => (message.strip_prefix("do_bind: invalid dn (")?.strip_suffix(')')?, ""),
    };
    (!name.is_empty() && !rest.starts_with("mech=")).then(|| name.to_owned())
}

/// `6b09ddf0.35bf2844 0x7f… conn=…`: seconds since 1970 and their parts, in hexadecimal.
fn by_itself(line: &str) -> Option<Timestamp> {
    let (first, _) = line.split_once(' ')?;
    let (seconds, nanos) = first.split_once('.').unwrap_or((first, "0"));
    let (seconds, nanos) = (i64::from_str_radix(seconds, 16).ok()?, i32::from_str_radix(nanos, 16).ok()?);
    Timestamp::new(seconds, nanos).ok()
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
            "conn=9 op=0 BIND dn=\"uid=before,dc=example,dc=org\" method=128",
            "conn=9 op=0 RESULT tag=97 err=49 text=",
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
    fn what_is_kept_of_connections_is_bounded() {
        let mut slapd = Slapd::default();
        let clock = Clock { time_zone: jiff::tz::TimeZone::UTC, now: Timestamp::UNIX_EPOCH };
        for number in 0..CONNECTIONS + 100 {
            slapd.read(&format!("conn={number} fd=1 ACCEPT from IP=192.0.2.1:1 (IP=0.0.0.0:389)"), &clock);
        }
        assert_eq!((slapd.open.len(), slapd.opened.len()), (CONNECTIONS, CONNECTIONS));
        for number in 0..CONNECTIONS + 100 {
            slapd.read(&format!("conn={number} fd=1 closed"), &clock);
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
