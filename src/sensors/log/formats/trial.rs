//! What the tests of every format ask: who is told of by these lines, from where, and when.

use crate::sensors::log::formats::format::{Access, Clock, Format, Login, ReadFormat};
use jiff::{Timestamp, tz::TimeZone};

/// What a fresh reader tells of these lines, in Paris, in the evening of the 27th of November 2026.
pub fn logins(format: &Format, lines: &str) -> Vec<Login> {
    let clock = clock();
    let mut reader = (format.reader)();
    lines.lines().flat_map(|line| reader.read(line, &clock)).collect()
}

/// The same in short: `name source time`, a dash for what is not told.
pub fn told(format: &Format, lines: &str) -> Vec<String> {
    let short = |login: Login| {
        let source = login.source_ip.map_or("-".to_owned(), |ip| ip.to_string());
        format!("{} {source} {}", login.username, login.at.map_or("-".to_owned(), |at| at.to_string()))
    };
    logins(format, lines).into_iter().map(short).collect()
}

/// What a fresh reader tells of what is read in a store: `user source time text`.
pub fn reads(format: &ReadFormat, lines: &str) -> Vec<String> {
    let clock = clock();
    let mut reader = (format.reader)();
    let short = |access: Access| {
        let source = access.source_ip.map_or("-".to_owned(), |ip| ip.to_string());
        let at = access.at.map_or("-".to_owned(), |at| at.to_string());
        format!("{} {source} {at} {}", access.user, access.text)
    };
    // As the sensor shows them: empty lines are passed over.
    lines.lines().filter(|line| !line.is_empty()).flat_map(|line| reader.read(line, &clock)).map(short).collect()
}

fn clock() -> Clock {
    let now = "2026-11-27T18:00:00Z".parse::<Timestamp>().unwrap();
    Clock { time_zone: TimeZone::get("Europe/Paris").unwrap(), now }
}
