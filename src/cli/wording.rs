//! The small words of what is shown to people: numbers, days, bars, names that cannot steer a terminal, wrapped lines.

use crate::{case::words::number, domain::verdict::Window};
use console::measure_text_width;
use jiff::{Timestamp, ToSpan, ZonedDateTime, tz::TimeZone};

/// A bar of eighths.
pub fn bar(share: f64, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * (width * 8) as f64).round() as usize;
    let drawn = format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8]);
    let length = measure_text_width(&drawn);
    format!("{drawn}{}", "·".repeat(width.saturating_sub(length)))
}

/// "35 times", "10^9.2 times".
pub fn times(log10: f64) -> String {
    format!("{} times", number(log10))
}

/// "between 1 and 31 May 2026": days in UTC, and times where days would not tell.
pub fn taken(window: &Window) -> String {
    let utc = |moment: Timestamp| moment.to_zoned_datetime(TimeZone::UTC);
    let (from, mut to) = (utc(window.from), utc(window.to));
    let length = window.to.duration_since(window.from);
    if length.as_hours() < 48 {
        let clock = if length.as_mins() < 10 { "%H:%M:%S" } else { "%H:%M" };
        let dated = format!("%-d %B %Y {clock}");
        let until = if from.date() == to.date() { to.strftime(clock) } else { to.strftime(&dated) };
        return format!("between {} and {until} UTC", from.strftime(&dated));
    }
    to = utc(last_moment(window));
    let opening = match (from.year() == to.year(), from.month() == to.month()) {
        (true, true) => "%-d",
        (true, false) => "%-d %B",
        (false, _) => "%-d %B %Y",
    };
    format!("between {} and {}", from.strftime(opening), to.strftime("%-d %B %Y"))
}

/// A window that ends at midnight ends with the day before.
pub fn last_moment(window: &Window) -> Timestamp {
    window.to.checked_sub(1.nanosecond()).unwrap_or(window.to).max(window.from)
}

/// "1 May 2026", with the time unless it is midnight.
pub fn short_day(moment: Timestamp) -> String {
    moment.to_zoned_datetime(TimeZone::UTC).strftime("%-d %b %Y %H:%M").to_string().replace(" 00:00", "")
}

/// The stretch of time that the window is drawn on: whole days or months around it, and one more at each end.
pub fn axis(window: &Window) -> Option<(Timestamp, Timestamp)> {
    let hours = window.to.duration_since(window.from).as_hours();
    let (from, to) =
        (window.from.to_zoned_datetime(TimeZone::UTC), last_moment(window).to_zoned_datetime(TimeZone::UTC));
    let (start, end) = if hours < 20 * 24 {
        let day = |zoned: &ZonedDateTime| zoned.start_of_day();
        (day(&from).ok()?.checked_sub(1.day()).ok()?, day(&to).ok()?.checked_add(2.days()).ok()?)
    } else {
        let month = |zoned: &ZonedDateTime| zoned.first_of_month().and_then(|first| first.start_of_day());
        (month(&from).ok()?.checked_sub(1.month()).ok()?, month(&to).ok()?.checked_add(2.months()).ok()?)
    };
    Some((start.timestamp(), end.timestamp()))
}

/// The text, or its beginning where it is wider.
pub fn shortened(text: &str, columns: usize) -> String {
    let mut kept = text.to_owned();
    let mut shown = kept.clone();
    while measure_text_width(&shown) > columns && kept.pop().is_some() {
        shown = format!("{kept}…");
    }
    shown
}

/// The text with everything that moves a cursor, colours, reverses or hides written out instead.
pub fn harmless(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Lines no wider than `width`, broken at spaces, or within a word that is too long for a line.
pub fn wrapped(words: &str, width: usize, hang: &str) -> Vec<String> {
    let indent = words.len() - words.trim_start().len();
    let mut lines = vec![words[..indent].to_owned()];
    let mut fresh = true;
    for word in words.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let space = usize::from(!fresh);
        if measure_text_width(line) + space + measure_text_width(word) <= width {
            line.push_str(&" ".repeat(space));
            line.push_str(word);
            fresh = false;
            continue;
        }
        if !fresh {
            lines.push(hang.to_owned());
        }
        fresh = false;
        for c in word.chars() {
            let line = lines.last_mut().expect("there is always a line");
            if measure_text_width(line) + measure_text_width(c.encode_utf8(&mut [0; 4])) > width {
                lines.push(format!("{hang}{c}"));
            } else {
                line.push(c);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{harmless, shortened, taken, wrapped};
    use crate::domain::verdict::Window;

    fn window(from: &str, to: &str) -> Window {
        Window { from: from.parse().unwrap(), to: to.parse().unwrap(), confidence: 0.95 }
    }

    #[test]
    fn tells_the_time_as_precisely_as_it_is_known() {
        let told = |from, to| taken(&window(from, to));
        assert_eq!(told("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"), "between 1 and 31 May 2026");
        assert_eq!(told("2026-05-03T07:00:00Z", "2026-06-12T09:30:00Z"), "between 3 May and 12 June 2026");
        assert_eq!(told("2025-12-03T07:00:00Z", "2026-01-12T09:30:00Z"), "between 3 December 2025 and 12 January 2026");
        assert_eq!(told("2026-05-03T07:00:00Z", "2026-05-03T09:30:00Z"), "between 3 May 2026 07:00 and 09:30 UTC");
        assert_eq!(
            told("2026-05-03T07:00:00Z", "2026-05-03T07:00:09Z"),
            "between 3 May 2026 07:00:00 and 07:00:09 UTC"
        );
        assert_eq!(
            told("2026-05-03T17:00:00Z", "2026-05-04T09:30:00Z"),
            "between 3 May 2026 17:00 and 4 May 2026 09:30 UTC"
        );
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(harmless("pay\u{1b}[2Jroll"), "pay\\u{1b}[2Jroll");
        assert_eq!(harmless("a\u{202e}b\nc\u{200b}"), "a\\u{202e}b\\u{a}c\\u{200b}");
        assert_eq!(harmless("Équipe RH 人事"), "Équipe RH 人事");
    }

    #[test]
    fn breaks_lines_between_words_and_within_long_ones() {
        assert_eq!(wrapped("  • one two three", 9, "    "), vec!["  • one", "    two", "    three"]);
        assert_eq!(wrapped("abcdefghij", 4, " "), vec!["abcd", " efg", " hij"]);
    }

    #[test]
    fn long_names_are_shortened() {
        assert_eq!((shortened("payroll", 7), shortened("payroll", 4)), ("payroll".into(), "pay…".into()));
    }
}
