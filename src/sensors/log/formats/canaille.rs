//! canaille, the identity provider: the lines of its `SECURITY` level about logins, which bear a local time. It never logs a password.

use crate::sensors::log::formats::format::{Clock, Format, Login, address};
use jiff::fmt::strtime;

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "canaille", reader: || Box::new(read) };

fn read(line: &str, clock: &Clock) -> Option<Login> {
    // `[2026-11-23 18:00:06,614] - 198.51.100.7 - SECURITY in logging: Failed password authentication for claire.moreau`
    let (at, rest) = line.strip_prefix('[')?.split_once("] - ")?;
    let (source, rest) = rest.split_once(" - SECURITY in ")?;
    let (_, message) = rest.split_once(": ")?;
    let (outcome, name) = message.trim_end().split_once(" authentication for ")?;
    let attempt = outcome.starts_with("Failed ") || outcome.starts_with("Succeed ") || outcome.starts_with("Success");
    let seconds = at.split_once(',').map_or(at, |(seconds, _)| seconds);
    let civil = strtime::parse("%Y-%m-%d %H:%M:%S", seconds).and_then(|at| at.to_datetime()).ok()?;
    let told = attempt && !name.trim().is_empty();
    told.then(|| Login {
        username: name.to_owned(),
        source_ip: address(source),
        at: clock.time_zone.to_timestamp(civil).ok(),
        ..Login::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::{logins, told};
    use proptest::prelude::*;

    #[test]
    fn attempts_are_told() {
        let lines = "[2026-11-27 16:05:01,614] - 198.51.100.7 - SECURITY in logging: Failed password authentication for claire.moreau
[2026-11-27 16:05:02,614] - 2001:db8::7 - SECURITY in logging: Succeed password authentication for a b
[2026-11-27 16:05:03,614] - 198.51.100.7 - SECURITY in logging: Sent a reset password mail to a@example.org for a
[2026-11-27 16:05:03,614] - 198.51.100.7 - INFO in logging: Failed password authentication for claire.moreau
[x] - 198.51.100.7 - SECURITY in logging: Failed password authentication for claire.moreau";
        assert_eq!(
            told(&FORMAT, lines),
            ["claire.moreau 198.51.100.7 2026-11-27T15:05:01Z", "a b 2001:db8::7 2026-11-27T15:05:02Z"]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "(\\[|2026-11-27 16:05:01|,614|\\] - |192\\.0\\.2\\.1| - SECURITY in |x: |Failed | authentication for |é|\\PC){0,10}") {
            for login in logins(&FORMAT, &line) {
                prop_assert!(!login.username.trim().is_empty());
            }
        }
    }
}
