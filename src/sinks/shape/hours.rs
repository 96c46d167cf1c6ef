//! Hours of the week at which a sink wants alerts, in the organisation's own time: `18:00-08:00`, `sat-sun`,
//! `mon-fri 08:00-18:00`. What passes midnight belongs to the day on which it began.

use jiff::civil::{Time, Weekday};
use serde::{Deserialize, Deserializer, de::Error as _};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const MIDNIGHT: u16 = 24 * 60;

/// One window of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    days: Vec<Weekday>,
    /// Minutes of the day; `to` is at most `from` where it passes midnight.
    from: u16,
    to: u16,
}

impl Hours {
    /// Whether this moment lies in the window.
    pub fn holds(&self, day: Weekday, time: Time) -> bool {
        let minute = minute(time);
        let on = |day| self.days.contains(&day);
        if self.from < self.to {
            return on(day) && (self.from..self.to).contains(&minute);
        }
        (on(day) && minute >= self.from) || (on(day.previous()) && minute < self.to)
    }

    /// Minutes of the day at which it begins or ends.
    pub fn edges(&self) -> [u16; 2] {
        [self.from, self.to % MIDNIGHT]
    }

    fn parse(text: &str) -> Option<Hours> {
        let (days, hours) = match text.trim().split_once(' ') {
            Some((days, hours)) => (Some(days), Some(hours.trim())),
            None if text.contains(':') => (None, Some(text.trim())),
            None => (Some(text.trim()), None),
        };
        let (from, to) = match hours {
            None => (0, MIDNIGHT),
            Some(hours) => {
                let (from, to) = hours.split_once('-')?;
                (clock(from)?, clock(to)?)
            }
        };
        let days = days.map_or(Some(DAYS.map(|(_, day)| day).to_vec()), week)?;
        (from != to && from < MIDNIGHT).then_some(Hours { days, from, to })
    }
}

/// The minute of the day.
pub fn minute(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

fn clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let plain = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
    let (hour, minute) = (plain(hour)?, plain(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= MIDNIGHT).then_some(minutes)
}

/// `sat`, `mon-fri`, `fri-mon`, `mon,wed`
fn week(text: &str) -> Option<Vec<Weekday>> {
    let place = |name: &str| DAYS.iter().position(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first)?, place(last)?);
        let length = (last + DAYS.len() - first) % DAYS.len();
        days.extend((0..=length).map(|step| DAYS[(first + step) % DAYS.len()].1));
    }
    Some(days)
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hours::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no window: expected \"18:00-08:00\", \"sat-sun\" or \"mon-fri 08:00-18:00\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, day: Weekday, hour: i8, minute: i8) -> bool {
        Hours::parse(text).unwrap().holds(day, Time::new(hour, minute, 59, 0).unwrap())
    }

    #[test]
    fn windows_hold_from_their_first_minute_to_before_their_last() {
        use Weekday::*;
        assert!(holds("08:00-18:00", Sunday, 8, 0) && holds("08:00-18:00", Monday, 17, 59));
        assert!(!holds("08:00-18:00", Monday, 7, 59) && !holds("08:00-18:00", Monday, 18, 0));
        assert!(holds("18:00-08:00", Monday, 23, 59) && holds("18:00-08:00", Monday, 0, 0));
        assert!(!holds("18:00-08:00", Monday, 8, 0) && !holds("18:00-08:00", Monday, 17, 59));
        assert!(
            holds("sat-sun", Saturday, 0, 0) && holds("sat-sun", Sunday, 23, 59) && !holds("sat-sun", Friday, 23, 59)
        );
        assert!(holds("fri 22:00-06:00", Friday, 22, 0) && holds("fri 22:00-06:00", Saturday, 5, 59));
        assert!(!holds("fri 22:00-06:00", Friday, 5, 59) && !holds("fri 22:00-06:00", Saturday, 22, 0));
        assert!(holds("Fri-Mon,wed 00:00-24:00", Sunday, 23, 59) && holds("fri-mon,wed", Wednesday, 1, 1));
        assert!(!holds("fri-mon,wed", Tuesday, 1, 1));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "8:00-9:00",
            "08:00",
            "08:00-08:00",
            "25:00-26:00",
            "08:60-09:00",
            "24:00-06:00",
            "day",
            "mon-",
            "mon 1-2",
        ] {
            assert_eq!(Hours::parse(text), None, "{text}");
        }
    }
}
