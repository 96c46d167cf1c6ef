//! PostgreSQL's own log, with `log_statement` or pgaudit, and `log_line_prefix` as Debian sets it, perhaps with the client
//! behind it: `%m [%p] %q%u@%d ` or `%m [%p] %q%u@%d %h `. Each line of a statement, and its parameters, are told by themselves.

use crate::sensors::log::formats::format::{Access, Clock, ReadFormat, ReadReader, address};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use std::net::IpAddr;

/// The row of `formats::READS`.
pub const FORMAT: ReadFormat = ReadFormat { name: "postgres", reader: || Box::new(Lines { last: None }) };

/// What a message begins with that shows a statement.
const STATEMENTS: [&str; 3] = ["statement: ", "execute ", "AUDIT: "];

/// The statement in a message, if it is one's. (`log_min_duration_statement` writes how long it took before it.)
pub fn statement(message: &str) -> Option<&str> {
    let message = message.trim_start();
    let rest = match message.strip_prefix("duration: ") {
        Some(timed) => timed.split_once(" ms")?.1.trim_start(),
        None => message,
    };
    STATEMENTS.iter().any(|beginning| rest.starts_with(beginning)).then_some(rest)
}

/// `2026-11-27 16:05:01.123 CET`: what zone the letters mean nobody knows, but for UTC.
pub fn time(text: &str, clock: &Clock) -> Option<Timestamp> {
    let (time, zone) = text.trim().rsplit_once(' ')?;
    let time: DateTime = time.parse().ok()?;
    match zone {
        "UTC" | "GMT" => TimeZone::UTC.to_timestamp(time).ok(),
        _ => clock.time_zone.to_timestamp(time).ok(),
    }
}

struct Lines {
    /// Whose statement goes on in lines that begin with a tab.
    last: Option<Head>,
}

#[derive(Clone)]
struct Head {
    at: Option<Timestamp>,
    user: String,
    source_ip: Option<IpAddr>,
}

impl ReadReader for Lines {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Access> {
        if let Some(text) = line.strip_prefix('\t') {
            return self.last.iter().map(|head| access(head, text)).collect();
        }
        let Some((head, kind, message)) = head(line, clock) else {
            self.last = None;
            return Vec::new();
        };
        let text = match kind {
            "LOG" => statement(message),
            // Of the statement just before.
            "DETAIL" if self.last.is_some() => Some(message),
            _ => None,
        };
        self.last = text.is_some().then(|| head.clone());
        text.map(|text| access(&head, text)).into_iter().collect()
    }
}

fn access(head: &Head, text: &str) -> Access {
    let Head { at, user, source_ip } = head.clone();
    Access { user, source_ip, at, text: text.to_owned(), ..Access::default() }
}

/// `2026-11-27 16:05:01.123 CET [123] user@database host LOG:  message`.
fn head<'a>(line: &'a str, clock: &Clock) -> Option<(Head, &'a str, &'a str)> {
    let (time, rest) = line.split_once(" [")?;
    let (pid, rest) = rest.split_once("] ")?;
    pid.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let (before, message) = rest.split_once(":  ")?;
    let (who, kind) = before.rsplit_once(' ')?;
    // Names may hold anything; a client's address holds no blank.
    let (who, source_ip) = match who.rsplit_once(' ') {
        Some((name, host)) if name.contains('@') => match host.split('(').next().and_then(address) {
            Some(ip) => (name, Some(ip)),
            None if host == "[local]" => (name, None),
            None => (who, None),
        },
        _ => (who, None),
    };
    let user = who.rsplit_once('@')?.0.to_owned();
    let at = self::time(time, clock);
    at.is_some().then_some((Head { at, user, source_ip }, kind, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::reads;
    use proptest::prelude::*;

    #[test]
    fn statements_are_told_with_whoever_gave_them() {
        let lines = "2026-11-28 03:40:14.196 UTC [12686] hr_app@hr 198.51.100.7 LOG:  statement: select *
\t from e
\twhere email = 'a@b.fr'
2026-11-28 03:40:14.439 CET [12741] hr app@h r LOG:  execute <unnamed>: select $1
2026-11-28 03:40:14.439 CET [12741] hr app@h r DETAIL:  parameters: $1 = 'a@b.fr'
2026-11-28 03:40:14.439 UTC [12741] owner@hr [local] LOG:  AUDIT: SESSION,2,1,READ,SELECT,,,execute x,a@b.fr
2026-11-28 03:40:14.439 UTC [12741] owner@hr 198.51.100.7(5432) LOG:  duration: 0.1 ms  statement: fetch c
2026-11-28 03:40:14.439 UTC [12741] owner@hr ERROR:  duplicate key value violates a@b.fr
2026-11-28 03:40:14.439 UTC [12741] owner@hr DETAIL:  Key (email)=(a@b.fr) already exists.
\ta@b.fr
2026-11-28 03:40:14.439 UTC [99] LOG:  statement: checkpoint
2026-11-28 03:40:14.439 UTC [12741] owner@hr LOG:  connection authorized: user=a@b.fr
no line";
        assert_eq!(
            reads(&FORMAT, lines),
            [
                "hr_app 198.51.100.7 2026-11-28T03:40:14.196Z statement: select *",
                "hr_app 198.51.100.7 2026-11-28T03:40:14.196Z  from e",
                "hr_app 198.51.100.7 2026-11-28T03:40:14.196Z where email = 'a@b.fr'",
                "hr app - 2026-11-28T02:40:14.439Z execute <unnamed>: select $1",
                "hr app - 2026-11-28T02:40:14.439Z parameters: $1 = 'a@b.fr'",
                "owner - 2026-11-28T03:40:14.439Z AUDIT: SESSION,2,1,READ,SELECT,,,execute x,a@b.fr",
                "owner 198.51.100.7 2026-11-28T03:40:14.439Z statement: fetch c",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "(2026-11-28 03:40:14\\.196 UTC| \\[7\\] |u@d|\\[local\\]|192\\.0\\.2\\.1| |LOG|DETAIL|:  |statement: |duration: |ms|\t|é|\\PC){0,12}") {
            reads(&FORMAT, &line);
        }
    }
}
