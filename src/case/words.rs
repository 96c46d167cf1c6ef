//! Numbers and times as the report writes them. Times are UTC, and say so where they stand alone.

use crate::domain::verdict::Window;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// "4 May 2026 08:00:07 UTC"
pub fn moment(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%-d %b %Y %H:%M:%S UTC").to_string()
}

/// "4 May 2026"
pub fn day(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%-d %b %Y").to_string()
}

/// "04/05/2026 08:00 UTC", as French forms have it.
pub fn french(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%d/%m/%Y %H:%M UTC").to_string()
}

/// How a language writes a day, and a moment.
pub type Dates = (fn(Timestamp) -> String, fn(Timestamp) -> String);

/// The first and the last day of a window: one that ends at midnight ends with the day before. Moments where it is short.
pub fn bracket(window: &Window, (days, moments): Dates) -> (String, String) {
    if window.to.duration_since(window.from).as_hours() < 48 {
        return (moments(window.from), moments(window.to));
    }
    let last = window.to.checked_sub(1.nanosecond()).unwrap_or(window.to).max(window.from);
    (days(window.from), days(last))
}

/// As English texts write them.
pub const ENGLISH: Dates = (day, moment);

/// As French texts write them.
pub const FRENCH: Dates = (|at| french(at).chars().take(10).collect(), french);

/// "3,162", "10^9.2": a number from its decimal logarithm, never more exact than it deserves.
pub fn number(log10: f64) -> String {
    match log10 {
        l if l < 1.0 => format!("{:.1}", 10f64.powf(l)),
        l if l < 4.0 => grouped(10f64.powf(l).round() as u64),
        l => format!("10^{l:.1}"),
    }
}

/// 1234567 as 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// Never "100 %" for what is not certain, nor "0 %" for what is not impossible.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 99.9 => ">99.9 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// "1 canary", "2 canaries"
pub fn count(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { more })
}

/// "a, b and c"
pub fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A text from outside on one line, without what would hide or turn writing around.
pub fn harmless(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::{bracket, count, grouped, harmless, listed, number, percent};
    use crate::domain::verdict::Window;

    #[test]
    fn says_no_more_than_is_known() {
        assert_eq!([0.2, 1.5, 3.5, 9.24].map(number), ["1.6", "32", "3,162", "10^9.2"]);
        assert_eq!(
            (count(1, "canary", "canaries"), count(0, "canary", "canaries")),
            ("1 canary".into(), "0 canaries".into())
        );
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(harmless("a\u{202e}b\nc"), "a\\u{202e}b\\u{a}c");
    }

    #[test]
    fn a_month_ends_with_its_last_day() {
        let at = |text: &str| text.parse().unwrap();
        let window = Window { from: at("2026-05-01T00:00:00Z"), to: at("2026-06-01T00:00:00Z"), confidence: 0.95 };
        assert_eq!(bracket(&window, super::ENGLISH), ("1 May 2026".into(), "31 May 2026".into()));
    }

    #[test]
    fn numbers_are_grouped_and_shares_are_never_certain() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1.0, 0.5, 0.0].map(percent), [">99.9 %", "50.0 %", "<0.1 %"]);
    }
}
