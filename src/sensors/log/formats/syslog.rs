//! The beginning of a line as syslog daemons write it: time, machine, program. `Nov 27 16:05:01 host sshd[7]: …` has no
//! year and no zone, `2026-11-27T16:05:01.12+01:00 host sshd[7]: …` has both.

use crate::sensors::log::formats::format::Clock;
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
};

/// What stands before a line's message.
pub struct Head<'a> {
    pub at: Option<Timestamp>,
    pub host: &'a str,
    /// The program as it calls itself, with its process id where it says.
    pub tag: &'a str,
    /// The program, without its process id.
    pub program: &'a str,
    pub message: &'a str,
}

/// A line from another machine's clock may be ahead by so much before its year is taken for last year.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads the beginning of a line; none if it is no line of a syslog daemon.
pub fn head<'a>(line: &'a str, clock: &Clock) -> Option<Head<'a>> {
    let (at, rest) = time(line, clock)?;
    let (host, rest) = rest.split_once(' ')?;
    let (tag, message) = rest.split_once(": ")?;
    let program = tag.split('[').next().unwrap_or(tag);
    let fits = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    (fits(host) && fits(tag) && !host.ends_with(':')).then_some(Head { at, host, tag, program, message })
}

/// The time that a line begins with, and the rest of it; no time where the calendar has none such.
pub fn time<'a>(line: &'a str, clock: &Clock) -> Option<(Option<Timestamp>, &'a str)> {
    match line.split_once(' ') {
        Some((first, rest)) if first.contains('T') => Some((Some(first.parse().ok()?), rest)),
        _ => {
            let (time, rest) = line.split_at_checked(15)?;
            Some((by_the_calendar(time, clock), rest.strip_prefix(' ').filter(|_| is_time(time))?))
        }
    }
}

fn is_time(text: &str) -> bool {
    MONTHS.iter().any(|month| text.starts_with(month)) && text.as_bytes()[9] == b':'
}

/// `Nov 27 16:05:01`, in the latest year that is not to come.
fn by_the_calendar(text: &str, clock: &Clock) -> Option<Timestamp> {
    let month = MONTHS.iter().position(|month| text.starts_with(month))? as i8 + 1;
    let number = |range: std::ops::Range<usize>| text.get(range)?.trim().parse::<i8>().ok();
    let time = Time::new(number(7..9)?, number(10..12)?, number(13..15)?, 0).ok()?;
    let this_year = clock.time_zone.to_datetime(clock.now).year();
    // The 29th of February may be some years ago; the next year begins elsewhere before it begins here.
    (this_year - 8..=this_year + 1).rev().find_map(|year| {
        let at = DateTime::from_parts(Date::new(year, month, number(4..6)?).ok()?, time);
        let at = clock.time_zone.to_timestamp(at).ok()?;
        (at <= clock.now.saturating_add(AHEAD).ok()?).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    fn clock(now: &str) -> Clock {
        Clock { time_zone: TimeZone::get("Europe/Paris").unwrap(), now: now.parse().unwrap() }
    }

    #[test]
    fn lines_without_year_are_of_the_latest_that_fits() {
        let at = |line: &str, now: &str| head(line, &clock(now)).unwrap().at.map(|at| at.to_string());
        let line = "Nov 27 16:05:01 host sshd[7]: x";
        assert_eq!(at(line, "2026-11-27T15:06:00Z").as_deref(), Some("2026-11-27T15:05:01Z"));
        assert_eq!(at(line, "2027-01-02T00:00:00Z").as_deref(), Some("2026-11-27T15:05:01Z"));
        assert_eq!(at(line, "2026-11-20T00:00:00Z").as_deref(), Some("2025-11-27T15:05:01Z"));
        // New Year: the line is of this year in Paris, and of the last one in UTC.
        let new_year = "Jan  1 00:10:00 host sshd[7]: x";
        assert_eq!(at(new_year, "2026-12-31T23:11:00Z").as_deref(), Some("2026-12-31T23:10:00Z"));
        let leap = "Feb 29 12:00:00 host sshd[7]: x";
        assert_eq!(at(leap, "2026-11-27T00:00:00Z").as_deref(), Some("2024-02-29T11:00:00Z"));
        // Summer time, and an hour that there is twice: the earlier one.
        assert_eq!(at("Jul  4 12:00:00 h p: x", "2026-11-27T00:00:00Z").as_deref(), Some("2026-07-04T10:00:00Z"));
        assert_eq!(at("Oct 25 02:30:00 h p: x", "2026-11-27T00:00:00Z").as_deref(), Some("2026-10-25T00:30:00Z"));
    }

    #[test]
    fn both_beginnings_are_read() {
        let clock = clock("2026-11-27T15:06:00Z");
        let found = head("2026-11-27T16:05:01.123456+01:00 vpn-1 sshd-session[12]: Invalid user a: b", &clock).unwrap();
        assert_eq!((found.host, found.program, found.message), ("vpn-1", "sshd-session", "Invalid user a: b"));
        assert_eq!(found.at.unwrap().to_string(), "2026-11-27T15:05:01.123456Z");
        for other in [
            "",
            "x",
            "Nov 27",
            "Failed password for a from 192.0.2.1 port 1 ssh2",
            "Nov 27 16:05:01 host no colon",
            "Novembre 27 : : x y: z",
        ] {
            assert!(head(other, &clock).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "(Nov 27 16:05:01|Feb 31 99:99:99|2026-11-27T16:05:01Z|é| |h|sshd\\[7\\]|: |\\PC){0,12}") {
            let _ = head(&line, &clock("2026-11-27T15:06:00Z"));
        }
    }
}
